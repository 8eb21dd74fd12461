"""A pool on the test's database."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from src.sql.pool import Pool
from tests.support import query

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


async def one(pool: Pool) -> int:
    """A read that is done at once."""
    [row] = await pool.fetch("SELECT 1 AS one", [])
    one: int = row["one"]
    return one
