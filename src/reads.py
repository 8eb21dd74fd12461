"""Reads: how every feature answers a GET.

A read is a Core `select`, compiled once at import to PostgreSQL's own SQL. It runs prepared, in
autocommit, on a first-in-first-out pool of asyncpg connections, and its rows become plain
documents ready for JSON, without entities in between. docs/decisions/reads-and-writes.md has the
reasons and the figures.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import Dialect, Select, select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from src.exceptions import OverloadedError
from src.shapes import Document, Shape

MAX_WAITING_READS = 1000
MAX_PREPARED = 200  # statements on one connection
_DIALECT: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class Read:
    """One compiled select whose rows come back as documents of a shape.

    `narrow` adds joins, conditions and order to the select of the shape's columns; its
    `bindparam`s are the read's parameters.
    """

    def __init__(self, shape: Shape, narrow: Callable[[Select[Any]], Select[Any]]) -> None:
        self._shape = shape
        compiled = narrow(select(*shape.columns)).compile(dialect=_DIALECT)
        self.sql: str = compiled.string
        self._parameters = [(name, compiled.params[name]) for name in compiled.positiontup or ()]

    async def all(self, pool: "ReadPool", **parameters: object) -> list[Document]:
        """Every row, in the select's order."""
        return [self._shape.of_row(row) for row in await self._rows(pool, parameters)]

    async def first(self, pool: "ReadPool", **parameters: object) -> Document | None:
        """The first row, or None when there is none."""
        rows = await self._rows(pool, parameters)
        return self._shape.of_row(rows[0]) if rows else None

    async def _rows(
        self, pool: "ReadPool", parameters: Mapping[str, object]
    ) -> list[asyncpg.Record]:
        arguments = [parameters.get(name, default) for name, default in self._parameters]
        return await pool.fetch(self.sql, arguments)


class _Connection:
    """A connection and the statements prepared on it."""

    __slots__ = ("driver", "statements")

    def __init__(self, driver: asyncpg.Connection) -> None:
        self.driver = driver
        self.statements: dict[str, PreparedStatement] = {}

    async def fetch(self, sql: str, arguments: list[object]) -> list[asyncpg.Record]:
        statement = self.statements.get(sql)
        if statement is None:
            if len(self.statements) >= MAX_PREPARED:
                self.statements.clear()  # asyncpg closes a statement that nobody holds any more
            statement = self.statements[sql] = await self.driver.prepare(sql)
        return await statement.fetch(*arguments)


class ReadPool:
    """A pool that serves its waiters in the order they came.

    A released connection is handed to the longest waiter directly, so nobody overtakes: the slowest
    request under load stays near the median. uuid columns come back as strings, ready for JSON.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        size: int,
        wait_seconds: float,
    ) -> None:
        self._connect = connect
        self._size = size
        self._wait_seconds = wait_seconds
        self._open = 0
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[asyncio.Future[_Connection | None]] = deque()

    async def fetch(self, sql: str, arguments: list[object]) -> list[asyncpg.Record]:
        """Run one prepared statement.

        Raises:
            OverloadedError: no connection came free in time.
            asyncpg.PostgresError, OSError: the database refused or is away.
        """
        connection = await self._acquire()
        try:
            try:
                rows = await connection.fetch(sql, arguments)
            except asyncpg.InvalidCachedStatementError:  # a migration changed a table meanwhile
                connection.statements.clear()
                rows = await connection.fetch(sql, arguments)
        except asyncpg.PostgresError:
            self._release(connection)
            raise
        except BaseException:  # cancelled or cut off: what is on the wire is unknown
            self._discard(connection)
            raise
        self._release(connection)
        return rows

    async def close(self) -> None:
        """Close the idle connections; the others close when they are released."""
        self._size = 0
        while self._idle:
            await self._idle.pop().driver.close()

    async def _acquire(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.driver.is_closed():
                return connection
            self._open -= 1
        if self._open < self._size:
            return await self._new_connection()
        if len(self._waiting) >= MAX_WAITING_READS:
            raise OverloadedError
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[_Connection | None] = loop.create_future()
        self._waiting.append(turn)
        too_late = loop.call_later(self._wait_seconds, _give_up, turn)
        try:
            handed = await turn
        except BaseException:
            self._give_back(turn)
            raise
        finally:
            too_late.cancel()
        return await self._new_connection() if handed is None else handed

    async def _new_connection(self) -> _Connection:
        self._open += 1
        try:
            driver = await self._connect()
            await driver.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str)
        except BaseException:
            self._open -= 1
            self._wake_next()
            raise
        return _Connection(driver)

    def _release(self, connection: _Connection) -> None:
        if connection.driver.is_closed() or self._open > self._size:
            self._discard(connection)
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._idle.append(connection)

    def _discard(self, connection: _Connection) -> None:
        self._open -= 1
        connection.driver.terminate()
        self._wake_next()

    def _wake_next(self) -> None:
        """Let the longest waiter open a connection of its own in a place that came free."""
        while self._waiting and self._open < self._size:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _give_back(self, turn: "asyncio.Future[_Connection | None]") -> None:
        """A waiter gave up: it may have been handed a connection in the same moment."""
        with suppress(ValueError):
            self._waiting.remove(turn)
        if not turn.cancelled() and turn.exception() is None:
            connection = turn.result()
            if connection is None:
                self._wake_next()
            else:
                self._release(connection)


def _give_up(turn: "asyncio.Future[_Connection | None]") -> None:
    if not turn.done():
        turn.set_exception(OverloadedError())
