"""`python -m src worker`: ends in order when asked, and may be killed at any moment."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from src.mail.mailbox import Mailbox
from src.main import TASKS
from tests.jobs.processes import environment, running, terminated
from tests.jobs.support import START_SECONDS, Desk
from tests.support import FrozenClock, free_port, query, until

REGISTRATION = {"email": "ann@x.test", "password": "correct horse battery"}


@pytest.fixture
def clock() -> FrozenClock:
    """The time of the other processes."""
    return FrozenClock(datetime.now(UTC))


async def test_the_job_of_a_killed_worker_is_taken_over(
    client: httpx.AsyncClient, desk: Desk, database_url: str, tmp_path: Path
) -> None:
    port, connected = free_port(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    variables = environment(database_url, tmp_path, SMTP_URL=f"smtp://127.0.0.1:{port}")
    await client.post("/api/v1/auth/register", json=REGISTRATION)
    async with await asyncio.start_server(say_nothing, "127.0.0.1", port):
        async with running("worker", variables) as process, asyncio.timeout(START_SECONDS):
            await connected.wait()
            process.kill()
            await process.wait()
        assert [job["state"] for job in await desk.jobs()] == ["picked"]
    mailbox = Mailbox.of(desk.context.settings)
    async with desk.working(*TASKS):
        await until(lambda: len(mailbox.messages("ann@x.test")) == 1)
        await until(desk.is_empty)


async def test_a_worker_that_is_asked_to_end_ends(
    client: httpx.AsyncClient, database_url: str, tmp_path: Path
) -> None:
    await client.post("/api/v1/auth/register", json=REGISTRATION)
    mailbox = Mailbox(tmp_path / "mailbox")
    async with running("worker", environment(database_url, tmp_path)) as process:
        await until(lambda: len(mailbox.messages("ann@x.test")) == 1, START_SECONDS)
        assert await terminated(process) == 0
    assert await query(database_url, "SELECT FROM pgqueuer WHERE status = 'picked'") == []
