"""What a feature adds to the application; `src/main.py` lists the features."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from fastapi import APIRouter, FastAPI

from src.jobs.tasks import JobContext, Schedule, Task
from src.personal_data import Section
from src.sql.session import DatabaseSession

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened (`src/events/kinds.py`)."""

    id: UUID
    kind: str
    subject_id: UUID
    actor_id: UUID | None
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What a feature does about events whose kinds begin with one of `kinds`, such as `post.`.

    A job calls `receive` in a transaction of its own, soon after the event is committed. It may get
    an event more than once, and events in another order than they happened.
    """

    kinds: Sequence[str]
    receive: Callable[[JobContext, DatabaseSession, Event], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """The parts of one feature. The first route that matches counts.

    `routers` are below /api/v1, `pages` at the root of the server; `tags` are described in the
    OpenAPI document. `personal_data` are the sections of `GET /users/me/export`. `lifespan` is
    around the time in which the process serves; the database is open before.
    """

    routers: Sequence[APIRouter] = ()
    pages: Sequence[APIRouter] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    tasks: Sequence[Task[Any]] = ()
    schedules: Sequence[Schedule] = ()
    subscribers: Sequence[Subscriber] = ()
    personal_data: Sequence[Section] = ()
    lifespan: Lifespan | None = None
