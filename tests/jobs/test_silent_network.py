"""A network that swallows the worker's packets without a word."""

import asyncio
from dataclasses import replace

import pytest

from src.jobs import worker as jobs
from src.jobs.worker import Worker
from tests.http.proxy import proxy_to
from tests.jobs.support import Desk, task
from tests.support import until


async def test_the_worker_connects_anew_and_ends_when_told_to(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SILENT_SECONDS", 0.5)
    done: list[int] = []

    async def run(number: int) -> None:
        done.append(number)

    context = desk.context
    async with proxy_to(desk.url) as proxy:
        database = replace(context.database, url=proxy.url)
        worker = Worker([task(run)], [], replace(context, database=database))
        running = asyncio.create_task(worker.run())
        await desk.enqueue(task(run), 1)
        await until(desk.is_empty)
        proxy.silence()
        proxy.up()
        await desk.enqueue(task(run), 2)
        await until(lambda: done == [1, 2])
        await until(desk.is_empty)
        proxy.silence()
        worker.stop()
        _, unfinished = await asyncio.wait({running}, timeout=5)
        assert not unfinished
