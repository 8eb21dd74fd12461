"""A pool of asyncpg connections: fair, bounded, every statement prepared once a connection."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import asyncpg
import orjson
from asyncpg.prepared_stmt import PreparedStatement

from src.exceptions import DatabaseUnavailableError, OverloadedError

MAX_WAITERS = 1000
MAX_PREPARED = 200  # statements on one connection
TICK_SECONDS = 0.1
# After these PostgreSQL closes the connection, a moment later.
_LAST_WORDS = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)


class Connection:
    """A connection and the statements prepared on it."""

    __slots__ = ("_statements", "driver")

    def __init__(self, driver: asyncpg.Connection) -> None:
        self.driver = driver
        self._statements: dict[str, PreparedStatement] = {}

    def fetch(
        self, sql: str, arguments: list[object], *, replan: bool = False
    ) -> Awaitable[list[asyncpg.Record]]:
        """Run a statement; with `replan`, PostgreSQL makes a plan for these very arguments."""
        statement = None if replan else self._statements.get(sql)
        if statement is not None:
            return statement.fetch(*arguments)
        return self._prepare_and_fetch(sql, arguments, keep=not replan)

    async def _prepare_and_fetch(
        self, sql: str, arguments: list[object], *, keep: bool
    ) -> list[asyncpg.Record]:
        statement = await self.driver.prepare(sql)
        if keep:
            if len(self._statements) >= MAX_PREPARED:
                del self._statements[next(iter(self._statements))]  # the oldest
            self._statements[sql] = statement
        return await statement.fetch(*arguments)

    def forget_statements(self) -> None:
        """Prepare anew; asyncpg closes a statement that nobody holds any more."""
        self._statements.clear()


class Pool:
    """A pool that serves its waiters in the order they came.

    A released connection is handed to the longest waiter directly, so nobody overtakes: the slowest
    request under load stays near the median. jsonb comes back decoded.
    Who waits for longer than `wait_seconds` is turned away, and a connection that is in use for
    longer than `use_seconds` is closed: one timer sees to both, since one for each statement would
    cost a tenth of what the statement does.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        size: int,
        wait_seconds: float,
        use_seconds: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()  # to ask for it costs a call of the system
        self._connect = connect
        self._size = size
        self._wait_seconds = wait_seconds
        self._use_seconds = use_seconds
        self._open = 0
        self._idle: deque[Connection] = deque()
        # Both in the order of their times.
        self._in_use_since: dict[Connection, float] = {}
        self._waiting_since: dict[asyncio.Future[Connection | None], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def fetch(
        self, sql: str, arguments: list[object], *, replan: bool = False
    ) -> list[asyncpg.Record]:
        """Run one statement in autocommit.

        Raises:
            OverloadedError: no connection came free in time.
            DatabaseUnavailableError: none could be opened.
            asyncpg.PostgresError, asyncpg.InterfaceError: the database refused, or is away.
        """
        connection = await self.acquire()
        try:
            try:
                rows = await connection.fetch(sql, arguments, replan=replan)
            except asyncpg.InvalidCachedStatementError:  # a migration changed a table meanwhile
                connection.forget_statements()
                rows = await connection.fetch(sql, arguments, replan=replan)
        except asyncpg.PostgresError as error:
            if isinstance(error, _LAST_WORDS):
                self.discard(connection)
            else:
                self.release(connection)
            raise
        except BaseException:  # cancelled or cut off: what is on the wire is unknown
            self.discard(connection)
            raise
        self.release(connection)
        return rows

    async def write(self, sql: str, arguments: list[object]) -> None:
        """Run one statement for its effect, in autocommit.

        Raises:
            OverloadedError, DatabaseUnavailableError, asyncpg.PostgresError,
            asyncpg.InterfaceError: as `fetch` does.
        """
        await self.fetch(sql, arguments)

    async def acquire(self) -> Connection:
        """A connection, to be given back by `release` or `discard`.

        Raises:
            OverloadedError: none came free in time.
            DatabaseUnavailableError: none could be opened.
        """
        connection = self._idle_connection() or await self._next_connection()
        self._in_use_since[connection] = self._now()
        return connection

    def release(self, connection: Connection) -> None:
        """Hand the connection to the longest waiter, or keep it for the next."""
        if connection.driver.is_closed() or self._open > self._size:
            self.discard(connection)
            return
        self._in_use_since.pop(connection, None)
        if not self._hand_over(connection):
            self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Close the connection, whatever it is doing."""
        self._in_use_since.pop(connection, None)
        self._open -= 1
        connection.driver.terminate()
        self._wake_next()

    async def close(self) -> None:
        """Close the idle connections; the others close when they are released."""
        self._size = 0
        while self._idle:
            await self._idle.pop().driver.close()

    def _idle_connection(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.driver.is_closed():
                return connection
            self._open -= 1
        return None

    async def _next_connection(self) -> Connection:
        """A new one, or one that is handed over."""
        if self._open < self._size:
            self._open += 1
            return await self._new_connection()
        if len(self._waiting_since) >= MAX_WAITERS:
            raise OverloadedError
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting_since[turn] = self._now()
        try:
            handed = await turn
        except BaseException:
            self._give_back(turn)
            raise
        return await self._new_connection() if handed is None else handed

    async def _new_connection(self) -> Connection:
        """Open a connection, whose place is counted already.

        An error of the network is the database's, here where nothing else is talked to.
        """
        try:
            async with asyncio.timeout(self._use_seconds):
                driver = await self._connect()
                await driver.set_type_codec(
                    "jsonb", schema="pg_catalog", encoder=str, decoder=orjson.loads
                )
        except BaseException as error:
            self._open -= 1
            self._wake_next()
            if isinstance(error, OSError):
                raise DatabaseUnavailableError(type(error).__name__) from error
            raise
        return Connection(driver)

    def _hand_over(self, connection: Connection | None) -> bool:
        """Give the longest waiter a connection, or the place for a new one; False if none waits."""
        while self._waiting_since:
            turn = next(iter(self._waiting_since))
            del self._waiting_since[turn]
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    def _wake_next(self) -> None:
        if self._open < self._size and self._hand_over(None):
            self._open += 1

    def _give_back(self, turn: "asyncio.Future[Connection | None]") -> None:
        """A waiter gave up: it may have been handed a connection in the same moment."""
        self._waiting_since.pop(turn, None)
        if not turn.cancelled() and turn.exception() is None:
            connection = turn.result()
            if connection is None:
                self._open -= 1
                self._wake_next()
            else:
                self.release(connection)

    def _now(self) -> float:
        """The time from which a limit counts."""
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._check_times)
        return self._loop.time()

    def _check_times(self) -> None:
        now = self._loop.time()
        for turn, since in self._waiting_since.items():
            if since + self._wait_seconds > now:
                break
            if not turn.done():
                turn.set_exception(OverloadedError())
        for connection, since in self._in_use_since.items():
            if since + self._use_seconds > now:
                break
            connection.driver.terminate()
        busy = self._in_use_since or self._waiting_since
        self._timer = self._loop.call_later(TICK_SECONDS, self._check_times) if busy else None
