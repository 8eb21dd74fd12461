"""The worker: it ends when told to, and at nothing else."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Message

from src.config import Settings
from src.jobs import worker as jobs
from src.jobs.tasks import JobContext, Schedule
from src.mail.mailbox import Mailbox
from src.main import create_app
from tests.conftest import execute, migrate
from tests.databases import on_database
from tests.jobs.support import Desk, task
from tests.support import FrozenClock, Inbox, query, talking_to, until

KILL_WORKERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'plaza-worker'
"""


async def test_it_survives_the_loss_of_its_connection(desk: Desk) -> None:
    done: list[int] = []

    async def run(number: int) -> None:
        done.append(number)

    async with desk.working(task(run)):
        for number in range(3):
            await desk.enqueue(task(run), number)
            await until(desk.is_empty)
            await execute(desk.url, KILL_WORKERS)
    assert done == [0, 1, 2]


async def test_a_job_during_which_the_connection_is_lost_is_done_at_least_once(
    desk: Desk,
) -> None:
    started, done = asyncio.Event(), []

    async def run(number: int) -> None:
        started.set()
        await asyncio.sleep(0.3)
        done.append(number)

    async with desk.working(task(run)):
        await desk.enqueue(task(run), 1)
        await started.wait()
        await execute(desk.url, KILL_WORKERS)
        await until(desk.is_empty)
    assert set(done) == {1}


async def test_told_to_stop_it_finishes_what_it_began_and_begins_nothing(desk: Desk) -> None:
    events: list[str] = []

    async def run(number: int) -> None:
        events.append(f"{number} begins")
        await asyncio.sleep(0.4)
        events.append(f"{number} is done")

    note = task(run)
    async with desk.working(note) as worker:
        await desk.enqueue(note, 1)
        await until(lambda: bool(events))
        worker.stop()
        await desk.enqueue(note, 2)
    assert events == ["1 begins", "1 is done"]
    assert [job["state"] for job in await desk.jobs()] == ["queued"]


async def test_idle_it_stops_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LONGEST_POLL", timedelta(seconds=30))

    async def run(_: int) -> None:
        pass

    worker = desk.worker(task(run))
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0.2)
    worker.stop()
    async with asyncio.timeout(1):
        await running


async def test_without_a_database_it_stops_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "RESTART_SECONDS", 60.0)

    async def run(_: int) -> None:
        pass

    worker = desk.worker(task(run))
    await execute(desk.url, "ALTER TABLE pgqueuer RENAME TO away")
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0.2)
    assert not running.done()
    worker.stop()
    async with asyncio.timeout(1):
        await running


async def test_it_does_a_bounded_number_of_jobs_at_once(desk: Desk) -> None:
    running, most, done = 0, 0, 0

    async def run(_: int) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        done += 1

    await desk.enqueue(task(run), *range(100))
    async with desk.working(task(run)):
        await until(lambda: done == 100)
    assert 1 < most <= 20


async def test_two_workers_share_the_jobs(desk: Desk) -> None:
    done: Counter[int] = Counter()

    async def run(number: int) -> None:
        await asyncio.sleep(0.005)
        done[number] += 1

    note = task(run)
    async with desk.working(note), desk.working(note):
        await desk.enqueue(note, *range(60))
        await until(lambda: done.total() >= 60)
        await asyncio.sleep(0.1)
    assert done == Counter(range(60))


async def test_what_is_scheduled_runs_when_it_is_due_on_one_worker(desk: Desk) -> None:
    ticks: list[int] = []

    async def tick(context: JobContext) -> None:
        assert context.settings.environment == "test"
        ticks.append(1)
        if len(ticks) == 1:
            raise ValueError("a failure does not end the schedule")

    every_second = [Schedule("tests.tick", "* * * * * *", tick)]
    started_at = asyncio.get_running_loop().time()
    async with desk.working(schedules=every_second), desk.working(schedules=every_second):
        await until(lambda: len(ticks) >= 4)
    seconds = asyncio.get_running_loop().time() - started_at
    assert len(ticks) <= seconds + 2  # a second has begun, and clocks run ahead


async def test_a_server_started_before_the_migration_sends_mail_after_it(
    settings: Settings, clock: FrozenClock, server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"plaza_test_{uuid4().hex}"
    url = on_database(server_url, name)
    await execute(server_url, f"CREATE DATABASE {name}")
    settings = settings.model_copy(
        update={"database_url": SecretStr(url), "worker_in_server": True}
    )
    app = create_app(settings, clock)
    try:
        async with app.router.lifespan_context(app), talking_to(app) as client:
            await asyncio.sleep(0.3)
            assert {
                record.message for record in caplog.records if record.name == "src.jobs.worker"
            } == {"no job runs before `python -m src migrate`"}
            await asyncio.to_thread(migrate, url)
            await register(client)
            await Inbox(Mailbox.of(settings)).mails("ann@x.test", 1)
    finally:
        await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_server_that_is_cancelled_closes_all_it_opened(
    settings: Settings, clock: FrozenClock
) -> None:
    app = create_app(settings.model_copy(update={"worker_in_server": True}), clock)
    sent: asyncio.Queue[str] = asyncio.Queue()
    received = asyncio.Queue[Message]()
    received.put_nowait({"type": "lifespan.startup"})

    async def send(message: Message) -> None:
        sent.put_nowait(message["type"])

    others = asyncio.all_tasks()
    serving = asyncio.create_task(app({"type": "lifespan"}, received.get, send))
    assert await sent.get() == "lifespan.startup.complete"
    for one in asyncio.all_tasks() - others:  # as the second Ctrl+C does
        one.cancel()
    await serving
    assert await sent.get() == "lifespan.shutdown.complete"
    assert asyncio.all_tasks() == others


async def register(client: httpx.AsyncClient) -> None:
    """Register ann."""
    registration = {"email": "ann@x.test", "password": "correct horse battery"}
    answer = await client.post("/api/v1/auth/register", json=registration)
    assert answer.status_code == 202


async def test_the_log_keeps_failures_longer_than_successes(
    desk: Desk, clock: FrozenClock, database_url: str
) -> None:
    for status in ("successful", "exception", "failed"):
        for age in (0, 2, 31):
            await query(
                database_url,
                "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)"
                " VALUES ($1, $2, $3::text::pgqueuer_status, 0, 'x')",
                clock.now() - timedelta(days=age, seconds=1),
                age,
                status,
            )
    for schedule in jobs.SCHEDULES:
        await schedule.run(desk.context)
    rows = await query(database_url, "SELECT status::text, job_id FROM pgqueuer_log")
    assert sorted((row["status"], row["job_id"]) for row in rows) == [
        ("exception", 0),
        ("exception", 2),
        ("failed", 0),
        ("failed", 2),
        ("successful", 0),
    ]
