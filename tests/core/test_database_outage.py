"""What callers see while PostgreSQL is away, and once it is back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from src.auth.tasks import AlreadyRegistered, already_registered
from src.config import Settings
from src.database import Database
from src.exceptions import DatabaseUnavailableError
from src.ids import uuid7
from tests.conftest import execute
from tests.http.proxy import Proxy, proxy_to
from tests.support import KILL_CONNECTIONS, Accounts, problem_of

POST = {"title": "A post", "body": "Its text"}


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    """The way to the database."""
    async with proxy_to(database_url) as proxy:
        yield proxy


@pytest.fixture
def settings(settings: Settings, proxy: Proxy) -> Settings:
    """Settings that lead through the proxy, with short waits."""
    return settings.model_copy(
        update={
            "database_url": SecretStr(proxy.url),
            "database_wait_seconds": 0.3,
            "statement_timeout_seconds": 0.5,
        }
    )


async def test_away_is_a_503_and_back_is_back(
    client: httpx.AsyncClient, accounts: Accounts, proxy: Proxy
) -> None:
    ann = await accounts.sign_in("ann")
    await proxy.down()
    for answer in (
        await client.get("/api/v1/posts"),
        await client.get("/api/v1/users/me", headers=ann.headers),
        await client.post("/api/v1/posts", json=POST, headers=ann.headers),
        await client.post("/api/v1/auth/token", data={"username": "ann", "password": "x" * 8}),
        await client.post(
            "/api/v1/auth/register", json={"email": "b@x.test", "password": "long enough 4 me"}
        ),
        await client.get("/health/ready"),
    ):
        problem_of(answer, 503, "database_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    assert (await client.get("/health/live")).status_code == 200
    proxy.up()
    assert (await client.get("/health/ready")).status_code == 200
    created = await client.post("/api/v1/posts", json=POST, headers=ann.headers)
    assert created.status_code == 201


async def test_a_restart_between_requests_goes_unnoticed(
    client: httpx.AsyncClient, accounts: Accounts, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    posts = [client.post("/api/v1/posts", json=POST, headers=ann.headers) for _ in range(8)]
    await asyncio.gather(*posts)
    await execute(database_url, KILL_CONNECTIONS)
    await asyncio.sleep(0.1)
    posts = [client.post("/api/v1/posts", json=POST, headers=ann.headers) for _ in range(8)]
    assert {answer.status_code for answer in await asyncio.gather(*posts)} == {201}
    drafts = await client.get("/api/v1/posts?status=draft", headers=ann.headers)
    assert len(drafts.json()["items"]) == 16


async def test_a_silent_network_is_a_503_in_bounded_time(
    client: httpx.AsyncClient, accounts: Accounts, proxy: Proxy
) -> None:
    ann = await accounts.sign_in("ann")
    assert (await client.get("/api/v1/posts")).status_code == 200
    proxy.silence()
    requests = [
        asyncio.create_task(client.get("/api/v1/posts")),
        asyncio.create_task(client.post("/api/v1/posts", json=POST, headers=ann.headers)),
    ]
    _, unanswered = await asyncio.wait(requests, timeout=4)
    await proxy.down()  # nobody is left hanging if it fails
    assert not unanswered
    for request in requests:
        assert request.result().status_code == 503
        assert request.result().headers["retry-after"]
    proxy.up()
    assert (await client.get("/api/v1/posts")).status_code == 200


async def change(database: Database, fail: Callable[[], None]) -> None:
    async with database.independent_transaction() as session:
        await session.execute(text("SELECT 1"))
        fail()
        await session.execute(text("SELECT 2"))


async def commit(database: Database, fail: Callable[[], None]) -> None:
    async with database.independent_transaction() as session:
        await session.execute(text("SELECT 1"))
        fail()


async def enqueue(database: Database, fail: Callable[[], None]) -> None:
    async with database.sessions() as session:
        await session.execute(text("SELECT 1"))
        fail()
        job = already_registered.enqueue(session, AlreadyRegistered(user_id=uuid7()))
        [error] = await asyncio.gather(job, return_exceptions=True)
        with pytest.raises(DatabaseUnavailableError):
            await session.rollback()
    assert error
    raise error


@pytest.mark.parametrize("way", [change, commit, enqueue])
async def test_silence_is_an_outage_of_the_database(
    settings: Settings, proxy: Proxy, way: Callable[..., Awaitable[None]]
) -> None:
    database = Database.open(proxy.url, settings)
    with pytest.raises(DatabaseUnavailableError) as caught:
        await way(database, proxy.silence)
    assert isinstance(caught.value.__cause__, TimeoutError)
    await proxy.down()
    await database.close()


async def test_an_outage_is_logged_by_what_happened(
    client: httpx.AsyncClient, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    await proxy.down()
    problem_of(await client.get("/api/v1/posts"), 503, "database_unavailable")
    [record] = [record for record in caplog.records if record.name == "src.http.problems"]
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("database unavailable: Connection")
