"""A job that fails is tried again, with growing delays, and held in the end."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from src.jobs import worker as jobs
from tests.conftest import execute
from tests.jobs.support import Desk, Note, task
from tests.support import until


async def test_a_job_is_tried_until_it_succeeds_with_growing_delays(desk: Desk) -> None:
    loop = asyncio.get_running_loop()
    tried_at: list[float] = []

    async def run(_: int) -> None:
        tried_at.append(loop.time())
        if len(tried_at) < 5:
            raise OSError("not yet")

    async with desk.working(task(run)):
        await desk.enqueue(task(run), 1)
        await until(lambda: len(tried_at) == 5)
        await until(desk.is_empty)
    delays = [later - earlier for earlier, later in pairwise(tried_at)]
    for number, delay in enumerate(delays):
        assert delay >= 0.05 * 2**number


async def test_a_delay_has_an_upper_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LONGEST_DELAY", timedelta(milliseconds=60))
    tries: list[int] = []

    async def run(number: int) -> None:
        tries.append(number)
        raise OSError

    async with desk.working(task(run)):
        await desk.enqueue(task(run), 1)
        await until(lambda: len(tries) >= 10)  # unbounded, this takes 25 seconds


async def test_after_the_last_attempt_a_job_is_held_and_the_others_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_ATTEMPTS", 2)
    tries: list[int] = []

    async def run(number: int) -> None:
        tries.append(number)
        if number == 13:
            raise ValueError("never")

    async with desk.working(task(run)):
        await desk.enqueue(task(run), 13)

        async def held() -> bool:
            return [job["state"] for job in await desk.jobs()] == ["failed"]

        await until(held)
        await desk.enqueue(task(run), 1)
        await until(lambda: 1 in tries)
        await asyncio.sleep(0.5)
    assert tries == [13, 13, 13, 1]
    [job] = await desk.jobs()
    assert (job["entrypoint"], job["state"]) == ("tests.note", "failed")
    assert job["payload"] == Note(number=13).model_dump_json().encode()


async def test_a_payload_that_does_not_fit_is_held_and_the_others_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_ATTEMPTS", 0)
    done: list[int] = []

    async def run(number: int) -> None:
        done.append(number)

    await desk.enqueue(task(run), 1)
    await execute(desk.url, 'UPDATE pgqueuer SET payload = \'{"number": "none"}\'')
    await desk.enqueue(task(run), 2)
    async with desk.working(task(run)):
        await until(lambda: done == [2])

        async def held() -> bool:
            return [job["state"] for job in await desk.jobs()] == ["failed"]

        await until(held)


async def test_a_job_of_an_unknown_kind_waits_for_a_worker_that_knows_it(desk: Desk) -> None:
    done: list[int] = []

    async def run(number: int) -> None:
        done.append(number)

    await desk.enqueue(task(run, "tests.of_a_newer_release"), 1)
    async with desk.working(task(run)):
        await desk.enqueue(task(run), 2)
        await until(lambda: done == [2])
    assert [job["state"] for job in await desk.jobs()] == ["queued"]
    async with desk.working(task(run, "tests.of_a_newer_release")):
        await until(lambda: done == [2, 1])
