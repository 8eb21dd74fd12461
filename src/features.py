"""What a feature adds to the application; `src/main.py` lists the features."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fastapi import APIRouter, FastAPI

from src.jobs.tasks import Schedule, Task
from src.personal_data import Section

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]


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
    personal_data: Sequence[Section] = ()
    lifespan: Lifespan | None = None
