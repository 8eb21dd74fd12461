"""A database for each test, made ahead of it and dropped behind it."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg

T = TypeVar("T")


class Databases:
    """Copies of a template, which a thread makes and drops on one connection while tests run."""

    def __init__(self, url: str, template: str) -> None:
        self._template = template
        self._thread = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection = self._run(asyncpg.connect(url)).result()
        self._drops: list[Future[None]] = []
        self._next = self._run(self._make())

    def take(self) -> str:
        """The name of one that nobody has used."""
        made, self._next = self._next, self._run(self._make())
        return made.result()

    def drop(self, name: str) -> None:
        """Cut off whoever is still connected to it."""
        self._drops.append(self._run(self._drop(name)))

    def close(self) -> None:
        """Drop the last one, which nobody took; an error of a drop is raised here."""
        self.drop(self._next.result())
        for drop in self._drops:
            drop.result()
        self._run(self._connection.close()).result()
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _run(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return self._thread.submit(self._runner.run, work)

    async def _make(self) -> str:
        name = f"plaza_test_{uuid4().hex}"
        # Ten milliseconds; the other strategy takes twice as long.
        await self._connection.execute(
            f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY"
        )
        return name

    async def _drop(self, name: str) -> None:
        await self._connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
