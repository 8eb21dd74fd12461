"""Workers and jobs of the tests' own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from fastapi import FastAPI
from pydantic import BaseModel

from src.jobs.tasks import JobContext, Schedule, Task
from src.jobs.worker import Worker
from tests.support import PATIENCE_SECONDS, job_context, query

START_SECONDS = 60.0  # for a process, on a busy machine


class Note(BaseModel):
    """A payload."""

    number: int = 0


@dataclass(frozen=True, slots=True)
class Desk:
    """Where jobs of the tests are handed in and worked on."""

    app: FastAPI
    url: str

    @property
    def context(self) -> JobContext:
        """What jobs may use."""
        return job_context(self.app)

    def worker(self, *tasks: "Task[Note]", schedules: Sequence[Schedule] = ()) -> Worker:
        """A worker for those tasks."""
        return Worker(tasks, schedules, self.context)

    @asynccontextmanager
    async def working(
        self, *tasks: "Task[Note]", schedules: Sequence[Schedule] = ()
    ) -> AsyncIterator[Worker]:
        """A worker that runs while the block does."""
        worker = self.worker(*tasks, schedules=schedules)
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await running

    async def enqueue(self, task: "Task[Note]", *numbers: int) -> None:
        """Commit jobs."""
        async with self.app.state.database.independent_transaction() as session:
            for number in numbers:
                await task.enqueue(session, Note(number=number))

    async def jobs(self) -> list[asyncpg.Record]:
        """The queue, oldest first."""
        sql = "SELECT *, status::text AS state FROM pgqueuer ORDER BY id"
        return await query(self.url, sql)

    async def is_empty(self) -> bool:
        """Whether every job is done and forgotten."""
        return await self.jobs() == []


def task(run: Callable[[int], Awaitable[None]], name: str = "tests.note") -> "Task[Note]":
    """A task that gets the number of its note."""

    async def run_note(_: JobContext, note: Note) -> None:
        await run(note.number)

    return Task(name, Note, run_note)
