"""What the tests of the core share: problems to recognise, small applications to break."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI

from src.config import Settings
from src.http import problems
from src.http.middleware import EnvelopeMiddleware, GuardMiddleware
from tests.support import problem_type

KILL_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def problem_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer, complete and of this status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == problem_type(response)
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:plaza:problem:{code}"
    assert body["code"] == code
    assert body["status"] == status
    assert body["title"]
    assert body["instance"].startswith("/")
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def small_app(settings: Settings) -> FastAPI:
    """An application of the core alone, for endpoints that a test adds. No database."""
    app = FastAPI(redirect_slashes=False)
    problems.install(app)
    surround(app, settings)
    return app


def surround(app: FastAPI, settings: Settings) -> None:
    """The middleware that every request goes through."""
    app.add_middleware(GuardMiddleware, settings=settings, routers=[app.router])
    app.add_middleware(EnvelopeMiddleware, settings=settings)


@asynccontextmanager
async def talking_to(
    app: FastAPI, base_url: str = "http://plaza.test", headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that is started already, or needs no start."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers) as client:
        yield client


async def query(url: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """The rows of a statement, on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return rows
    finally:
        await connection.close()
