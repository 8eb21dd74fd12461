"""What tests share: a clock to set, an inbox to wait on, accounts to act as."""

import asyncio
import importlib
import pkgutil
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI
from sqlalchemy import text
from starlette.types import ASGIApp

import src
from src.clock import Clock
from src.config import Settings
from src.exceptions import AppError
from src.http import problems
from src.http.middleware import Application, EnvelopeMiddleware, GuardMiddleware
from src.http.problems import OAUTH_ENDPOINTS
from src.ids import uuid7
from src.jobs.tasks import JobContext
from src.mail.gateway import Mailer
from src.mail.mailbox import Mailbox, StoredMail
from src.main import create_app
from src.openapi.raised import kinds
from src.users.models import User

PASSWORD = "correct horse battery"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATIENCE_SECONDS = 15.0
KILL_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def problem_type(answer: httpx.Response) -> str:
    """The media type of an answer's problem document."""
    is_oauth = answer.request.url.path.rstrip("/") in OAUTH_ENDPOINTS
    return "application/json" if is_oauth else "application/problem+json"


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


def resolved(document: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a part of the document is or refers to."""
    for name in node.get("$ref", "#").split("/")[1:]:
        document = document[name]
    return document if "$ref" in node else node


def codes_of(document: Mapping[str, Any], operation: Mapping[str, Any]) -> set[tuple[int, str]]:
    """The statuses and codes of the problems that an operation of the document lists."""
    return {
        (int(status), resolved(document, ref)["allOf"][1]["properties"]["code"]["const"])
        for status, answer in operation["responses"].items()
        if status >= "4"
        for body in resolved(document, answer)["content"].values()
        for ref in body["schema"].get("oneOf", [body["schema"]])
    }


@cache
def declared_codes() -> list[tuple[re.Pattern[str], dict[str, set[tuple[int, str]]]]]:
    """By path and method, those of every operation; what has no parameters comes first."""
    with TemporaryDirectory() as data_dir:
        settings = Settings(_env_file=None, environment="test", data_dir=Path(data_dir))
        document = create_app(settings).openapi()
    paths = sorted(document["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (
            re.compile(re.sub(r"\{\w+\}", "[^/]+", path)),
            {method.upper(): codes_of(document, one) for method, one in operations.items()},
        )
        for path, operations in paths
    ]


async def require_declared(answer: httpx.Response) -> None:
    """An error of an operation is one of those that the document lists for it."""
    path, method = answer.request.url.path.rstrip("/"), answer.request.method
    by_method = next((found for one, found in declared_codes() if one.fullmatch(path)), {})
    if answer.is_error and method in by_method:
        await answer.aread()
        found = answer.status_code, answer.json()["code"]
        assert found in by_method[method], f"{method} {path} does not list {found}"


class FrozenClock(Clock):
    """A clock that moves when told to."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


@dataclass(frozen=True, slots=True)
class Inbox:
    """The local mailbox, seen by somebody who waits for mail."""

    mailbox: Mailbox

    async def mails(self, to: str, count: int) -> list[StoredMail]:
        """The mails to an address, newest first, once there are `count` of them."""
        mails: list[StoredMail] = []

        def have_come() -> bool:
            mails[:] = self.mailbox.messages(to)
            return len(mails) >= count

        await until(have_come)
        return mails

    async def token(self, to: str, count: int = 1) -> str:
        """The token of the link in the newest of `count` mails to an address."""
        mails = await self.mails(to, count)
        found = re.search(r"token=([\w-]+)", mails[0].text)
        assert found, mails[0].text
        return found[1]


@dataclass(frozen=True, slots=True)
class Account:
    """A signed-in user."""

    id: str
    username: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """The Authorization header of this user."""
        return {"Authorization": f"Bearer {self.access_token}"}


@dataclass(frozen=True, slots=True)
class Accounts:
    """Makes confirmed users without the mail, and signs them in over HTTP."""

    app: FastAPI
    client: httpx.AsyncClient

    async def add(
        self,
        username: str,
        *,
        confirmed: bool = True,
        active: bool = True,
        roles: tuple[str, ...] = (),
    ) -> User:
        """A user in the database, with the password `PASSWORD` and the address username@x.test."""
        now = self.app.state.clock.now()
        user = User(
            id=uuid7(),
            email=f"{username}@x.test",
            username=username,
            display_name=username.title(),
            locale="en",
            password_hash=await self.app.state.auth.hasher.hash(PASSWORD),
            email_verified_at=now if confirmed else None,
            is_active=active,
            roles=list(roles),
            created_at=now,
            updated_at=now,
        )
        async with self.app.state.database.independent_transaction() as session:
            session.add(user)
        return user

    async def token(self, username: str, **form: str) -> httpx.Response:
        """The answer of the token endpoint to a user's password."""
        form = {"username": username, "password": PASSWORD} | form
        return await self.client.post("/api/v1/auth/token", data=form)

    async def sign_in(self, username: str, **form: str) -> Account:
        """A new user, signed in; or a further session of one that exists."""
        answer = await self.token(username, **form)
        if answer.status_code != 200:
            await self.add(username)
            answer = await self.token(username, **form)
        tokens = answer.json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        me = await self.client.get("/api/v1/users/me", headers=headers)
        return Account(me.json()["id"], username, tokens["access_token"], tokens["refresh_token"])


def small_app(settings: Settings) -> FastAPI:
    """An application of the core alone, for endpoints that a test adds. No database."""
    app = Application(redirect_slashes=False)
    problems.install(app)
    surround(app, settings)
    return app


def surround(app: FastAPI, settings: Settings) -> None:
    """The middleware that every request goes through."""
    app.add_middleware(GuardMiddleware, settings=settings, routes=app.routes)
    app.add_middleware(EnvelopeMiddleware, settings=settings)


@asynccontextmanager
async def talking_to(
    app: ASGIApp, base_url: str = "http://plaza.test", headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that is started already, or needs no start."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport,
        base_url=base_url,
        headers=headers,
        event_hooks={"response": [require_declared]},
    ) as client:
        yield client


async def query(url: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """The rows of a statement, on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return rows
    finally:
        await connection.close()


async def until(
    condition: Callable[[], bool | Awaitable[bool]], seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.02)


def job_context(app: FastAPI) -> JobContext:
    """What a worker gives to the jobs that a test runs itself."""
    state = app.state
    return JobContext(state.settings, state.database, Mailer(state.settings), state.clock)


@asynccontextmanager
async def locked_account(app: FastAPI, username: str) -> AsyncIterator[None]:
    """Nobody else can lock the account while the block runs: requests wait where they would."""
    async with app.state.database.independent_transaction() as session:
        await session.execute(
            text("SELECT id FROM users WHERE username = :username FOR UPDATE"),
            {"username": username},
        )
        yield


async def all_wait(app: FastAPI, count: int) -> None:
    """Wait until so many requests wait for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with app.state.database.sessions() as session:

        async def enough_wait() -> bool:
            await session.rollback()
            return bool(await session.scalar(waiting) >= count)

        await until(enough_wait)


async def all_jobs_done(app: FastAPI) -> None:
    """Wait until the worker has nothing to do."""
    async with app.state.database.sessions() as session:

        async def none_left() -> bool:
            await session.rollback()
            return not await session.scalar(text("SELECT count(*) FROM pgqueuer"))

        await until(none_left)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def own_errors() -> set[type[AppError]]:
    """Every error of the application's own, whatever was imported before."""
    for module in pkgutil.walk_packages(src.__path__, "src."):
        if module.name != "src.__main__":
            importlib.import_module(module.name)
    every: set[type[AppError]] = {AppError, *kinds()}
    return {kind for kind in every if kind.__module__.startswith("src.")}
