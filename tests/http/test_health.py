"""Health: alive without anything else, ready only with a database at the newest migration."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from src.config import Settings
from src.main import create_app
from tests.conftest import execute, migrate
from tests.databases import on_database
from tests.support import FrozenClock, problem_of, talking_to


@pytest.fixture
async def empty_database_url(server_url: str) -> AsyncIterator[str]:
    """A database without migrations."""
    name = f"plaza_test_{uuid4().hex}"
    await execute(server_url, f"CREATE DATABASE {name}")
    yield on_database(server_url, name)
    await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def test_alive_needs_no_database(plain_settings: Settings) -> None:
    nowhere = SecretStr("postgresql://127.0.0.1:1/nowhere")
    app = create_app(
        plain_settings.model_copy(update={"database_url": nowhere, "worker_in_server": False})
    )
    async with app.router.lifespan_context(app), talking_to(app) as client:
        live = await client.get("/health/live")
        assert (live.status_code, live.json()) == (200, {"status": "ok"})
        ready = await client.get("/health/ready")
        problem_of(ready, 503, "database_unavailable")
        assert ready.headers["retry-after"]


async def test_ready_at_head(client: httpx.AsyncClient) -> None:
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = 'accounts'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ],
)
async def test_not_ready_at_an_older_version(
    client: httpx.AsyncClient, database_url: str, statement: str
) -> None:
    assert (await client.get("/health/ready")).status_code == 200
    await execute(database_url, statement)
    problem_of(await client.get("/health/ready"), 503, "not_migrated")
    assert (await client.get("/health/live")).status_code == 200


async def test_ready_beside_a_newer_release(client: httpx.AsyncClient, database_url: str) -> None:
    await execute(database_url, "UPDATE alembic_version SET version_num = 'from_the_future'")
    assert (await client.get("/health/ready")).status_code == 200


async def test_ready_once_an_empty_database_is_migrated(
    settings: Settings, clock: FrozenClock, empty_database_url: str
) -> None:
    url = SecretStr(empty_database_url)
    app: FastAPI = create_app(settings.model_copy(update={"database_url": url}), clock)
    async with app.router.lifespan_context(app), talking_to(app) as client:
        problem_of(await client.get("/health/ready"), 503, "not_migrated")
        await asyncio.to_thread(migrate, empty_database_url)
        assert (await client.get("/health/ready")).status_code == 200
