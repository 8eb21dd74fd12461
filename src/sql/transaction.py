"""A transaction of compiled statements, on a connection of a pool."""

from typing import Self

import asyncpg

from src.sql.pool import Connection, Pool


class Transaction:
    """A transaction that begins with its first statement and is committed at the end of the block.

    An error in the block rolls it back. A `write` that stays its only statement runs at the end, by
    itself: the way to PostgreSQL and back for BEGIN and for COMMIT would take longer than it does.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self._put_off: tuple[str, list[object]] | None = None

    async def write(self, sql: str, arguments: list[object]) -> None:
        """Run one statement now, with the next one or at the end.

        Raises:
            OverloadedError, DatabaseUnavailableError, asyncpg.PostgresError,
            asyncpg.InterfaceError: as `fetch` does, and so may the end of the block.
        """
        if self._connection or self._put_off:
            await self.fetch(sql, arguments)
        else:
            self._put_off = sql, arguments

    async def fetch(
        self, sql: str, arguments: list[object], *, replan: bool = False
    ) -> list[asyncpg.Record]:
        """Run one statement.

        Raises:
            OverloadedError: no connection came free in time.
            DatabaseUnavailableError: none could be opened.
            asyncpg.PostgresError, asyncpg.InterfaceError: the database refused, or is away.
        """
        if self._connection is None:
            self._connection = await self._pool.acquire()
            await self._connection.driver.execute("BEGIN")
        if self._put_off:
            first, self._put_off = self._put_off, None
            await self.fetch(*first)
        try:
            return await self._connection.fetch(sql, arguments, replan=replan)
        except asyncpg.InvalidCachedStatementError:  # too late for this transaction
            self._connection.forget_statements()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        """Commit, or roll back after an error.

        Raises:
            ConflictError: it collides with another one, or contradicts what is stored: what the
                application makes of an asyncpg.PostgresError.
            OverloadedError, DatabaseUnavailableError, asyncpg.InterfaceError: as `fetch` does.
        """
        connection = self._connection
        if connection is None:
            if self._put_off and not error:
                await self._pool.write(*self._put_off)
            return
        if error and (connection.driver.is_closed() or not isinstance(error, Exception)):
            # Cut off or cancelled: what is on the wire is unknown.
            self._pool.discard(connection)
            return
        try:
            outcome = await connection.driver.execute("ROLLBACK" if error else "COMMIT")
        except BaseException:
            self._pool.discard(connection)
            raise
        self._pool.release(connection)
        if not error and outcome != "COMMIT":
            raise RuntimeError("A statement of the transaction had failed")
