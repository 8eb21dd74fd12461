"""A job exists if and only if its transaction was committed."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from src.exceptions import AppError
from src.jobs import worker as jobs
from tests.jobs.support import Desk, Note, task
from tests.support import until


async def test_a_job_of_a_committed_transaction_runs(desk: Desk) -> None:
    done: list[int] = []

    async def run(number: int) -> None:
        done.append(number)

    async with desk.working(task(run)):
        await desk.enqueue(task(run), 1, 2, 3)
        await until(lambda: len(done) == 3)
    assert sorted(done) == [1, 2, 3]
    assert await desk.jobs() == []


async def test_a_job_is_not_seen_before_the_commit_nor_after_a_rollback(desk: Desk) -> None:
    done: list[int] = []

    async def run(number: int) -> None:
        done.append(number)

    note = task(run)

    async def enqueue_and_fail() -> None:
        async with desk.app.state.database.independent_transaction() as session:
            await note.enqueue(session, Note(number=1))
            await asyncio.sleep(0.3)
            assert done == []
            raise AppError

    async with desk.working(note):
        with pytest.raises(AppError):
            await enqueue_and_fail()
        await desk.enqueue(note, 2)
        await until(lambda: bool(done))
    assert done == [2]
    assert await desk.jobs() == []


async def test_a_job_is_seen_the_moment_it_is_committed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LONGEST_POLL", timedelta(seconds=30))
    started: list[float] = []
    loop = asyncio.get_running_loop()

    async def run(_: int) -> None:
        started.append(loop.time())

    async with desk.working(task(run)):
        await asyncio.sleep(0.3)
        await desk.enqueue(task(run), 1)
        committed_at = loop.time()
        await until(lambda: bool(started))
    assert started[0] - committed_at < 1


async def test_a_payload_holds_no_address_password_or_token(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    registration = {"email": "ann@x.test", "password": "correct horse battery"}
    answer = await client.post("/api/v1/auth/register", json=registration)
    secret: str = answer.json()["registration_secret"]
    [job] = await desk.jobs()
    stored = str(dict(job))
    for private in ("ann", "x.test", "horse", secret):
        assert private not in stored
