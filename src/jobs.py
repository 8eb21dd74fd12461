"""Background jobs on PgQueuer: enqueued in the caller's transaction, run by a worker.

A job exists if and only if the transaction that asked for it was committed. It runs at least once:
a failure is retried with growing delays, and after the last attempt the job is held with status
`failed` for somebody to look at. docs/operations.md says how.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar, cast

import asyncpg
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries
from pgqueuer.executors import DatabaseRetryEntrypointExecutor
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from src.clock import Clock
from src.config import Settings
from src.database import Database
from src.mail.gateway import Mailer

logger = logging.getLogger(__name__)

Payload = TypeVar("Payload", bound=BaseModel)

MAX_ATTEMPTS = 40  # with the delays below: about a day and a half
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(hours=1)
STALE_AFTER = timedelta(seconds=30)  # a killed worker's jobs are taken over after this long
RECONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job may use."""

    settings: Settings
    database: Database
    mailer: Mailer
    clock: Clock


@dataclass(frozen=True, slots=True)
class Task(Generic[Payload]):
    """A kind of job: its name in the queue, its payload's schema and the function that does it.

    Payloads are stored in clear: they hold ids, never passwords or tokens.
    """

    name: str
    payload: type[Payload]
    run: Callable[[JobContext, Payload], Awaitable[None]]

    async def enqueue(self, session: AsyncSession, payload: Payload) -> None:
        """Add a job to the session's transaction."""
        connection = await session.connection()
        raw = await connection.get_raw_connection()
        driver = AsyncpgDriver(cast("asyncpg.Connection", raw.driver_connection))
        await Queries(driver).enqueue(self.name, payload.model_dump_json().encode())


class Worker:
    """Runs jobs until it is stopped; a lost database connection is taken up again."""

    def __init__(self, tasks: Sequence[Task[Any]], context: JobContext) -> None:
        self._tasks = tasks
        self._context = context
        self._stopping = asyncio.Event()
        self._queue: PgQueuer | None = None

    async def run(self) -> None:
        """Work until `stop` is called."""
        while not self._stopping.is_set():
            try:
                await self._work()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("worker lost the database: %s", type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    def stop(self) -> None:
        """Take no further job; `run` returns when those under way are done."""
        self._stopping.set()
        if self._queue:
            self._queue.shutdown.set()

    async def _work(self) -> None:
        connection = await asyncpg.connect(
            self._context.database.url, server_settings={"application_name": "plaza-worker"}
        )
        try:
            queue = self._queue = PgQueuer(AsyncpgDriver(connection))
            for task in self._tasks:
                queue.entrypoint(
                    task.name,
                    on_failure="hold",
                    executor_factory=partial(
                        DatabaseRetryEntrypointExecutor,
                        max_attempts=MAX_ATTEMPTS,
                        initial_delay=FIRST_DELAY,
                        max_delay=LONGEST_DELAY,
                    ),
                )(self._job_function(task))
            if not self._stopping.is_set():
                await queue.run(heartbeat_timeout=STALE_AFTER, shutdown_on_listener_failure=True)
        finally:
            self._queue = None
            await connection.close()

    def _job_function(self, task: Task[Any]) -> Callable[[Job], Awaitable[None]]:
        async def run_job(job: Job) -> None:
            await task.run(self._context, task.payload.model_validate_json(job.payload or b"{}"))

        return run_job
