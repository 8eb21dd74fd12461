"""The worker: runs each job at least once, and what is scheduled.

A failure is retried with growing delays, and after the last attempt the job is held with status
`failed` for somebody to look at. docs/operations.md says how.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from pgqueuer import AsyncpgDriver, Job, PgQueuer
from pgqueuer.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.models import Schedule as ScheduleRow
from sqlalchemy import text

from src.database import connect_to
from src.exceptions import DatabaseUnavailableError
from src.jobs.tasks import JobContext, Schedule, Task
from src.mail.gateway import MailNotSentError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 40  # with the delays below: about 29 hours
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(hours=1)
STALE_AFTER = timedelta(seconds=30)  # a killed worker's jobs are taken over after this long
RESTART_SECONDS = 2.0
SILENT_SECONDS = 10.0
LONGEST_POLL = timedelta(seconds=5)  # a retry is at most this late
MAX_JOBS_AT_ONCE = 20
FAILURES_KEPT = timedelta(days=30)
SUCCESSES_KEPT = timedelta(days=1)


class HeldError(Exception):
    """The last attempt of a job has failed; the cause says how."""


class Worker:
    """Runs jobs until it is stopped, and starts over after a lost connection."""

    def __init__(
        self, tasks: Sequence[Task[Any]], schedules: Sequence[Schedule], context: JobContext
    ) -> None:
        self._tasks = tasks
        self._schedules = [*schedules, *SCHEDULES]
        self._context = context
        self._stopping = asyncio.Event()
        self._queue: PgQueuer | None = None

    async def run(self) -> None:
        """Work until `stop` is called."""
        while not self._stopping.is_set():
            try:
                await self._work()
            except DatabaseUnavailableError as error:
                logger.warning("jobs wait for the database: %s", error.reason)
                await self._pause()
            except Exception:  # whatever it was, jobs must go on: say so and start over
                logger.exception("the worker stopped, and starts again")
                await self._pause()

    def stop(self) -> None:
        """Take no further job; `run` returns when those under way are done."""
        self._stopping.set()
        if self._queue:
            self._queue.shutdown.set()

    async def _work(self) -> None:
        connection = await connect_to(
            self._context.database.url,
            command_timeout=SILENT_SECONDS,
            server_settings={"application_name": "plaza-worker"},
        )
        try:
            if await connection.fetchval("SELECT to_regclass('pgqueuer')") is None:
                logger.warning("no job runs before `python -m src migrate`")
                await self._pause()
                return
            queue = self._queue = PgQueuer(AsyncpgDriver(connection))
            for task in self._tasks:
                queue.entrypoint(
                    task.name,
                    concurrency_limit=task.at_once,
                    on_failure="hold",
                    executor_factory=partial(
                        DatabaseRetryEntrypointExecutor,
                        max_attempts=MAX_ATTEMPTS,
                        initial_delay=FIRST_DELAY,
                        max_delay=LONGEST_DELAY,
                    ),
                )(self._job_function(task))
            for schedule in self._schedules:
                queue.schedule(schedule.name, schedule.crontab)(self._scheduled_function(schedule))
            if not self._stopping.is_set():
                await queue.run(
                    dequeue_timeout=LONGEST_POLL,
                    heartbeat_timeout=STALE_AFTER,
                    max_concurrent_tasks=MAX_JOBS_AT_ONCE,
                    shutdown_on_listener_failure=True,
                )
        finally:
            self._queue = None
            connection.terminate()  # close() would wait for a server that may be silent

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), RESTART_SECONDS)

    def _job_function(self, task: Task[Any]) -> Callable[[Job], Awaitable[None]]:
        async def run_job(job: Job) -> None:
            context = replace(self._context, job_key=f"{job.id} {job.created.isoformat()}")
            try:
                await task.run(context, task.payload.model_validate_json(job.payload or b"{}"))
            except Exception as error:
                last = job.attempts >= MAX_ATTEMPTS
                if last or job.attempts == 0:
                    outcome = "is held" if last else "will be tried again"
                    logger.warning("job %d %s %s: %s", job.id, task.name, outcome, _told(error))
                if last:
                    raise HeldError(_told(error)) from error
                raise

        return run_job

    def _scheduled_function(self, schedule: Schedule) -> Callable[[ScheduleRow], Awaitable[None]]:
        async def run_schedule(_: ScheduleRow) -> None:
            await schedule.run(self._context)

        return run_schedule


def _told(error: Exception) -> str:
    """The kind of an error. Its text may repeat personal data: only that of a mail never does."""
    text = f": {error}" if isinstance(error, MailNotSentError) else ""
    return f"{type(error).__name__}{text}"


def _not_told_yet(record: logging.LogRecord) -> bool:
    """PgQueuer would tell the end of a held job once more, with all that its errors say."""
    return not (record.exc_info and isinstance(record.exc_info[1], HeldError))


logging.getLogger("pgqueuer").addFilter(_not_told_yet)

_FORGET_LOG = text("""
    DELETE FROM pgqueuer_log
    WHERE created <= :oldest OR created <= :recent AND status NOT IN ('exception', 'failed')
""")


async def _forget_old_log(context: JobContext) -> None:
    """Delete what PgQueuer noted about jobs that ended long ago."""
    now = context.clock.now()
    async with context.database.independent_transaction() as session:
        await session.execute(
            _FORGET_LOG, {"oldest": now - FAILURES_KEPT, "recent": now - SUCCESSES_KEPT}
        )


SCHEDULES = [Schedule("jobs.forget_old_log", "41 3 * * *", _forget_old_log)]
