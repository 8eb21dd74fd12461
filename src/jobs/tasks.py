"""Background jobs on PgQueuer: enqueued in the caller's transaction, run by a worker.

A job exists if and only if the transaction that asked for it was committed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pgqueuer import AsyncpgDriver, Queries
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from src.clock import Clock
from src.config import Settings
from src.database import Database, driver_connection
from src.exceptions import DatabaseUnavailableError
from src.mail.gateway import Mailer

Payload = TypeVar("Payload", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job may use."""

    settings: Settings
    database: Database
    mailer: Mailer
    clock: Clock
    job_key: str = ""  # the same at every attempt of one job, and of no other


@dataclass(frozen=True, slots=True)
class Task(Generic[Payload]):
    """A kind of job: its name in the queue, its payload's schema and the function that does it.

    Payloads are stored in clear: they hold ids, never passwords or tokens.
    """

    name: str
    payload: type[Payload]
    run: Callable[[JobContext, Payload], Awaitable[None]]

    async def enqueue(self, session: AsyncSession, payload: Payload) -> None:
        """Add a job to the session's transaction.

        Raises:
            DatabaseUnavailableError: the database is away.
        """
        queries = Queries(AsyncpgDriver(await driver_connection(session)))
        try:
            await queries.enqueue(self.name, payload.model_dump_json().encode())
        except OSError as error:
            raise DatabaseUnavailableError(type(error).__name__) from error


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something to do again and again, by one worker at a time; `crontab` is in UTC."""

    name: str
    crontab: str
    run: Callable[[JobContext], Awaitable[None]]
