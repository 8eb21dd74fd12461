"""The pool: fair, bounded, and never short of a connection that it lost."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest

from src.exceptions import DatabaseUnavailableError, OverloadedError
from src.sql import pool as pool_module
from src.sql.pool import Pool
from tests.conftest import execute
from tests.sql.conftest import Server, one
from tests.support import KILL_CONNECTIONS


async def sleep(pool: Pool, seconds: float) -> None:
    """Hold a connection for a while."""
    await pool.fetch(f"SELECT pg_sleep({seconds})", [])


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
