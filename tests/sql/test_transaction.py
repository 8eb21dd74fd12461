"""A transaction: committed as a whole or not at all, and a lone write without its cost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest

from src.exceptions import OverloadedError
from src.sql.pool import Pool
from src.sql.transaction import Transaction
from tests.conftest import execute
from tests.sql.conftest import Server, one
from tests.support import KILL_CONNECTIONS, query

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
