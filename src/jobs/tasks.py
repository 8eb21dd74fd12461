"""Background jobs on PgQueuer: enqueued in the caller's transaction, run by a worker.

A job exists if and only if the transaction that asked for it was committed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from pgqueuer import AsyncpgDriver, Queries
from pgqueuer.errors import DuplicateJobError
from pydantic import BaseModel

from src.clock import Clock
from src.config import Settings
from src.database import Database
from src.mail.gateway import Mailer
from src.sql.statements import Runner

Payload = TypeVar("Payload", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job may use."""

    settings: Settings
    database: Database
    mailer: Mailer
    clock: Clock
    job_key: str = ""  # the same at every attempt of one job, and of no other


class _Work(AsyncpgDriver):
    """Runs PgQueuer's statements where the caller's run."""

    def __init__(self, work: Runner) -> None:
        self._work = work

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        return [dict(row) for row in await self._work.fetch(query, list(args))]


@dataclass(frozen=True, slots=True)
class Task(Generic[Payload]):
    """A kind of job: its name in the queue, its payload's schema and the function that does it.

    Payloads are stored in clear: they hold ids, never passwords or tokens.
    """

    name: str
    payload: type[Payload]
    run: Callable[[JobContext, Payload], Awaitable[None]]
    at_once: int = 0  # how many of them a worker does at most; 0 for as many as it can

    async def enqueue(
        self, work: Runner, payload: Payload, *, delay: timedelta | None = None
    ) -> None:
        """Add a job to the transaction or session of the `work` that asks for it.

        It begins after the `delay`, or at once.
        """
        queries, job = Queries(_Work(work)), payload.model_dump_json().encode()
        try:
            await queries.enqueue(self.name, job, execute_after=delay)
        except DuplicateJobError as error:  # of what a transaction has put off: no job has a key
            raise error.__cause__ or error from None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something to do again and again, by one worker at a time; `crontab` is in UTC."""

    name: str
    crontab: str
    run: Callable[[JobContext], Awaitable[None]]
