"""The pool: fair, bounded, and never short of a connection that it lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest

from src.exceptions import DatabaseUnavailableError, OverloadedError
from src.sql import pool as pool_module
from src.sql.pool import Pool
from src.sql.transaction import Transaction
from tests.conftest import execute
from tests.support import KILL_CONNECTIONS, query

OWN = "application_name = 'pool-test' AND datname = current_database()"


class Server:
    """Opens connections, counts them and fails when told to."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.failures = 0
        self.opened = 0

    async def connect(self) -> asyncpg.Connection:
        if self.failures:
            self.failures -= 1
            await asyncio.sleep(0.02)
            raise ConnectionRefusedError
        self.opened += 1
        return await asyncpg.connect(self._url, server_settings={"application_name": "pool-test"})

    async def connections(self) -> int:
        return len(await query(self._url, f"SELECT FROM pg_stat_activity WHERE {OWN}"))


@pytest.fixture
def server(database_url: str) -> Server:
    """The test's database."""
    return Server(database_url)


@pytest.fixture
async def pool(server: Server) -> AsyncIterator[Pool]:
    """A pool of one connection whose waiters lose patience after a second."""
    pool = Pool(server.connect, 1, 1.0, 60.0)
    yield pool
    await pool.close()


async def sleep(pool: Pool, seconds: float) -> None:
    """Hold a connection for a while."""
    await pool.fetch(f"SELECT pg_sleep({seconds})", [])


async def one(pool: Pool) -> int:
    """A read that is done at once."""
    [row] = await pool.fetch("SELECT 1 AS one", [])
    one: int = row["one"]
    return one


async def short_of_patience(server: Server) -> Pool:
    """A pool of one open connection whose waiters give up soon."""
    pool = Pool(server.connect, 1, 0.3, 60.0)
    await one(pool)
    return pool


async def test_it_opens_no_more_connections_than_its_size(server: Server) -> None:
    pool = Pool(server.connect, 3, 5.0, 60.0)
    async with asyncio.TaskGroup() as group:
        for _ in range(60):
            group.create_task(sleep(pool, 0.005))
        await asyncio.sleep(0.05)
        assert await server.connections() <= 3
    assert await server.connections() == 3
    await pool.close()


async def test_it_opens_a_connection_when_it_is_needed(server: Server, pool: Pool) -> None:
    assert await server.connections() == 0
    await one(pool)
    assert await server.connections() == 1


async def test_waiters_are_served_in_the_order_they_came(pool: Pool) -> None:
    served: list[int] = []

    async def wait(number: int) -> None:
        await one(pool)
        served.append(number)
        if number < 10:  # a latecomer while earlier ones wait
            late.append(asyncio.create_task(wait(number + 10)))

    late: list[asyncio.Task[None]] = []
    holder = asyncio.create_task(sleep(pool, 0.05))
    await asyncio.sleep(0)
    await asyncio.gather(*(wait(number) for number in range(10)))
    await asyncio.gather(holder, *late)
    assert served == list(range(20))


async def test_too_many_waiters_are_turned_away_at_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "MAX_WAITERS", 3)
    holder = asyncio.create_task(sleep(pool, 0.1))
    await asyncio.sleep(0.02)
    waiters = [asyncio.create_task(one(pool)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await one(pool)
    assert await asyncio.gather(*waiters) == [1, 1, 1]
    await holder


async def test_a_waiter_loses_patience_and_the_pool_goes_on(server: Server) -> None:
    pool = await short_of_patience(server)
    holder = asyncio.create_task(sleep(pool, 0.6))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await one(pool)
    await holder
    assert await one(pool) == 1
    assert await server.connections() == 1
    await pool.close()


async def connect_for_ever() -> asyncpg.Connection:
    """A server that takes the connection and says nothing."""
    await asyncio.sleep(30)
    raise ConnectionRefusedError


async def test_a_waiter_loses_patience_while_a_connection_opens() -> None:
    pool = Pool(connect_for_ever, 1, 0.2, 60.0)
    opening = asyncio.create_task(one(pool))
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        with pytest.raises(OverloadedError):
            await one(pool)
    opening.cancel()


async def test_an_opening_that_takes_too_long_is_given_up() -> None:
    async with asyncio.timeout(1):
        with pytest.raises(DatabaseUnavailableError):
            await one(Pool(connect_for_ever, 1, 5.0, 0.2))


async def test_who_gave_up_is_not_counted_as_waiting(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "MAX_WAITERS", 2)
    pool = await short_of_patience(server)
    holder = asyncio.create_task(sleep(pool, 0.45))
    await asyncio.sleep(0)
    gave_up = await asyncio.gather(one(pool), one(pool), return_exceptions=True)
    assert [type(error) for error in gave_up] == [OverloadedError, OverloadedError]
    assert await one(pool) == 1
    await holder
    await pool.close()


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_cancelled_reads_leak_no_connection(server: Server, size: int) -> None:
    pool = Pool(server.connect, size, 5.0, 60.0)
    for round_ in range(12):
        tasks = [asyncio.create_task(sleep(pool, 0.004)) for _ in range(20)]
        await asyncio.sleep(round_ * 0.0015)
        for task in tasks[round_ % 3 :: 2]:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
    # All connections are there, and can work at the same time.
    async with asyncio.timeout(2):
        await asyncio.gather(*(sleep(pool, 0.05) for _ in range(size)))
    assert await server.connections() == size
    await pool.close()


async def test_a_cancelled_query_is_not_left_on_the_connection(server: Server, pool: Pool) -> None:
    running = asyncio.create_task(sleep(pool, 30))
    await asyncio.sleep(0.1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    async with asyncio.timeout(1):
        assert await one(pool) == 1


async def test_closed_connections_are_replaced(
    server: Server, pool: Pool, database_url: str
) -> None:
    await one(pool)
    await execute(database_url, KILL_CONNECTIONS)
    await asyncio.sleep(0.05)
    assert await one(pool) == 1
    assert await server.connections() == 1


async def test_a_connection_killed_while_it_works_is_replaced(
    server: Server, pool: Pool, database_url: str
) -> None:
    running = asyncio.create_task(sleep(pool, 30))
    await asyncio.sleep(0.1)
    waiting = asyncio.create_task(one(pool))
    await execute(database_url, KILL_CONNECTIONS)
    with pytest.raises(asyncpg.PostgresError):
        await running
    assert await waiting == 1
    assert await server.connections() == 1


async def test_a_waiter_takes_the_place_of_a_connection_that_could_not_open(
    server: Server, pool: Pool
) -> None:
    server.failures = 1
    first, second = await asyncio.gather(one(pool), one(pool), return_exceptions=True)
    assert isinstance(first, DatabaseUnavailableError)
    assert second == 1


async def test_a_newcomer_does_not_take_the_place_that_a_waiter_was_given(
    server: Server, pool: Pool
) -> None:
    held = await pool.acquire()
    waiting = asyncio.create_task(one(pool))
    await asyncio.sleep(0)
    newcomer = asyncio.create_task(one(pool))
    pool.discard(held)
    await asyncio.gather(waiting, newcomer)
    assert server.opened == 2  # one after the other


async def test_it_recovers_when_the_server_is_back(server: Server, pool: Pool) -> None:
    server.failures = 5
    answers = await asyncio.gather(*(one(pool) for _ in range(5)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {DatabaseUnavailableError}
    assert await asyncio.gather(*(one(pool) for _ in range(5))) == [1] * 5


async def test_a_query_that_fails_keeps_the_connection(server: Server, pool: Pool) -> None:
    for _ in range(3):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await pool.fetch("SELECT 1 / $1::int", [0])
    assert await one(pool) == 1
    assert await server.connections() == 1


async def test_a_table_that_a_migration_changed_is_read_again(
    pool: Pool, database_url: str
) -> None:
    await execute(database_url, "CREATE TABLE note AS SELECT 1 AS value")
    sql = "SELECT value FROM note"
    assert [row["value"] for row in await pool.fetch(sql, [])] == [1]
    await execute(database_url, "ALTER TABLE note ALTER value TYPE text USING 'one'")
    assert [row["value"] for row in await pool.fetch(sql, [])] == ["one"]


async def test_closing_closes_the_idle_and_those_at_work_when_they_are_done(
    server: Server,
) -> None:
    pool = Pool(server.connect, 2, 1.0, 60.0)
    await asyncio.gather(sleep(pool, 0.01), sleep(pool, 0.01))
    working = asyncio.create_task(sleep(pool, 0.2))
    await asyncio.sleep(0.05)
    await pool.close()
    await working
    await asyncio.sleep(0.05)
    assert await server.connections() == 0


async def test_a_connection_that_is_silent_for_too_long_is_given_up(server: Server) -> None:
    pool = Pool(server.connect, 1, 5.0, 0.3)
    running = asyncio.create_task(sleep(pool, 30))
    waiting = asyncio.create_task(one(pool))
    async with asyncio.timeout(2):
        with pytest.raises(asyncpg.PostgresConnectionError):
            await running
        assert await waiting == 1
    await pool.close()


INSERT = "INSERT INTO written VALUES ($1)"


@pytest.fixture
async def table(database_url: str) -> str:
    """A table of numbers, to write to."""
    await execute(database_url, "CREATE TABLE written (number int CHECK (number > 0))")
    return database_url


async def written(url: str) -> list[int]:
    """What another connection sees in the table."""
    return [row["number"] for row in await query(url, "SELECT number FROM written")]


async def write(transaction: Transaction, number: int) -> None:
    """Write one number."""
    await transaction.fetch(INSERT, [number])


async def write_all(
    pool: Pool, *numbers: int, then: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Write the numbers in one transaction, at the end of which something happens."""
    async with Transaction(pool) as transaction:
        for number in numbers:
            await write(transaction, number)
        if then:
            await then()


async def test_a_transaction_is_committed_as_a_whole(pool: Pool, table: str) -> None:
    async with Transaction(pool) as transaction:
        await write(transaction, 1)
        await write(transaction, 2)
        assert await written(table) == []
    assert await written(table) == [1, 2]


async def test_a_transaction_without_a_statement_takes_no_connection(
    server: Server, pool: Pool
) -> None:
    async with Transaction(pool):
        pass
    assert await server.connections() == 0


async def test_an_error_rolls_a_transaction_back(server: Server, pool: Pool, table: str) -> None:
    async def fail() -> None:
        raise OverloadedError

    with pytest.raises(OverloadedError):
        await write_all(pool, 1, then=fail)
    with pytest.raises(asyncpg.CheckViolationError):
        await write_all(pool, 1, -1)
    assert await written(table) == []
    assert await one(pool) == 1
    assert await server.connections() == 1


async def test_a_swallowed_error_is_no_commit(pool: Pool, table: str) -> None:
    transaction = Transaction(pool)
    with suppress(asyncpg.CheckViolationError):
        await write(transaction, -1)
    with pytest.raises(RuntimeError):
        await transaction.__aexit__(None, None, None)
    assert await written(table) == []
    assert await one(pool) == 1


async def test_a_lone_write_runs_at_the_end(server: Server, pool: Pool, table: str) -> None:
    async with Transaction(pool) as transaction:
        await transaction.write(INSERT, [1])
        assert await server.connections() == 0
    assert await written(table) == [1]


async def test_writes_run_before_what_follows_them(pool: Pool, table: str) -> None:
    async with Transaction(pool) as transaction:
        await transaction.write(INSERT, [1])
        rows = await transaction.fetch("SELECT number FROM written", [])
        assert [row["number"] for row in rows] == [1]
        await transaction.write(INSERT, [2])
        assert await written(table) == []
    async with Transaction(pool) as transaction:
        await transaction.write(INSERT, [3])
        await transaction.write(INSERT, [4])
        assert await written(table) == [1, 2]
    assert await written(table) == [1, 2, 3, 4]


async def test_a_lone_write_is_dropped_by_an_error_and_its_own_is_raised(
    pool: Pool, table: str
) -> None:
    transaction = Transaction(pool)
    await transaction.write(INSERT, [1])
    await transaction.__aexit__(OverloadedError, OverloadedError(), None)
    transaction = Transaction(pool)
    await transaction.write(INSERT, [-1])
    with pytest.raises(asyncpg.CheckViolationError):
        await transaction.__aexit__(None, None, None)
    assert await written(table) == []
    assert await one(pool) == 1


async def test_a_transaction_cancelled_in_a_statement_is_rolled_back(
    pool: Pool, table: str
) -> None:
    """Its connection, where the answer may still come, is not used again."""
    [before] = await pool.fetch("SELECT pg_backend_pid()", [])

    async def write_and_wait() -> None:
        async with Transaction(pool) as transaction:
            await write(transaction, 1)
            await transaction.fetch("SELECT pg_sleep(30)", [])

    running = asyncio.create_task(write_and_wait())
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await pool.fetch("SELECT pg_backend_pid()", []) != [before]
    assert await written(table) == []


async def test_a_transaction_whose_connection_is_killed_fails(pool: Pool, table: str) -> None:
    async def kill() -> None:
        await execute(table, KILL_CONNECTIONS)
        await asyncio.sleep(0.05)

    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
        await write_all(pool, 1, then=kill)
    assert await one(pool) == 1
    assert await written(table) == []


async def test_a_table_changed_within_a_transaction_fails_once(pool: Pool, table: str) -> None:
    sql = "SELECT number FROM written"
    await pool.fetch(sql, [])
    await execute(table, "ALTER TABLE written ALTER number TYPE bigint")
    transaction = Transaction(pool)
    with pytest.raises(asyncpg.InvalidCachedStatementError) as failed:
        await transaction.fetch(sql, [])
    await transaction.__aexit__(failed.type, failed.value, None)
    async with Transaction(pool) as transaction:
        assert await transaction.fetch(sql, []) == []


@pytest.mark.parametrize("replan", [False, True])
async def test_a_statement_is_planned_once_or_for_each_run(
    pool: Pool,
    replan: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    for number in range(10):
        await pool.fetch("SELECT $1::int AS number", [number], replan=replan)
    rows = await pool.fetch(
        "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE '%AS number'", []
    )
    assert any(row["generic_plans"] for row in rows) is not replan


async def test_a_full_connection_forgets_its_oldest_statement_alone(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "MAX_PREPARED", 3)
    connection = await pool.acquire()
    for number in range(5):
        await connection.fetch(f"SELECT {number} AS counted", [])
    kept = [sql for sql in connection._statements if sql.endswith("counted")]
    assert kept == [f"SELECT {number} AS counted" for number in (2, 3, 4)]
    pool.release(connection)
