"""Mail while the SMTP server is away: nobody waits for it, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from aiosmtpd.smtp import SMTP
from pydantic import SecretStr

from src.config import Settings
from src.main import TASKS
from tests.jobs.support import Desk
from tests.mail.smtp_server import Server
from tests.support import free_port, until

REGISTRATION = {"email": "ann@x.test", "password": "correct horse battery"}


@asynccontextmanager
async def smtp_server(port: int, *, refuse: str | None = None) -> AsyncIterator[Server]:
    """An SMTP server on that port."""
    loop = asyncio.get_running_loop()
    server = Server(port, refuse_recipients_with=refuse)
    listener = await loop.create_server(
        lambda: SMTP(server, hostname="mx.test", loop=loop), "127.0.0.1", port
    )
    async with listener:
        yield server


@pytest.fixture
def port() -> int:
    """Where the SMTP server will be."""
    return free_port()


@pytest.fixture
def settings(settings: Settings, port: int) -> Settings:
    """Settings that deliver by SMTP."""
    url = SecretStr(f"smtp://127.0.0.1:{port}")
    return settings.model_copy(update={"smtp_url": url})


async def failed_attempts(desk: Desk) -> int:
    """How often the mail was tried in vain."""
    attempts = [job["attempts"] for job in await desk.jobs()]
    return max(attempts, default=0)


async def test_a_mail_goes_out_when_the_server_is_back(
    client: httpx.AsyncClient, desk: Desk, port: int
) -> None:
    async with desk.working(*TASKS):
        answer = await client.post("/api/v1/auth/register", json=REGISTRATION)
        assert answer.status_code == 202

        async def tried_twice() -> bool:
            return await failed_attempts(desk) >= 2

        await until(tried_twice)
        async with smtp_server(port) as server:
            await until(lambda: bool(server.deliveries))
    [delivery] = server.deliveries
    assert delivery.recipients == ["ann@x.test"]
    assert await desk.jobs() == []


async def test_a_mail_that_is_refused_for_now_goes_out_later(
    client: httpx.AsyncClient, desk: Desk, port: int
) -> None:
    async with desk.working(*TASKS), smtp_server(port, refuse="451 Later, please") as server:
        await client.post("/api/v1/auth/register", json=REGISTRATION)

        async def tried() -> bool:
            return await failed_attempts(desk) >= 1

        await until(tried)
        server.refuse_recipients_with = None
        await until(lambda: bool(server.deliveries))
    assert len(server.deliveries) == 1


async def test_a_registration_does_not_wait_for_a_server_that_says_nothing(
    client: httpx.AsyncClient, desk: Desk, port: int
) -> None:
    connected, hang_up = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await hang_up.wait()
        writer.close()

    listener = await asyncio.start_server(say_nothing, "127.0.0.1", port)
    async with asyncio.timeout(10), listener, desk.working(*TASKS):
        answer = await client.post("/api/v1/auth/register", json=REGISTRATION)
        assert answer.status_code == 202
        await connected.wait()
        other = REGISTRATION | {"email": "bob@x.test"}
        assert (await client.post("/api/v1/auth/register", json=other)).status_code == 202
        hang_up.set()
