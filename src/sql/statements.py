"""Statements that need no entities: how every feature answers a GET and writes new rows.

A statement of SQLAlchemy's Core is compiled once at import to PostgreSQL's own SQL, and runs
prepared. A `Read` is a `select` whose rows become plain documents ready for JSON.
docs/decisions/reads-and-writes.md has the reasons and the figures.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import asyncpg
from sqlalchemy import Dialect, Select, select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from src.sql.shapes import Document, Shape

_DIALECT: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class Runner(Protocol):
    """Where a statement runs: a `Pool`, in autocommit, or a `Transaction`."""

    async def fetch(
        self, sql: str, arguments: list[object], *, replan: bool = False
    ) -> list[asyncpg.Record]:
        """Run it.

        Raises:
            OverloadedError: no connection came free in time.
            DatabaseUnavailableError: none could be opened.
        """


class Statement:
    """A compiled statement; its `bindparam`s, or all columns of an INSERT, are its parameters.

    With `replan`, PostgreSQL plans it for the arguments of each run: for conditions that may hold
    for a few rows or for most.
    """

    def __init__(self, statement: ClauseElement, *, replan: bool = False) -> None:
        compiled = cast("SQLCompiler", statement.compile(dialect=_DIALECT))
        self.sql: str = compiled.string
        self._parameters = compiled.positiontup or []
        bound = {name: compiled.binds[name] for name in self._parameters}
        self._literals = {name: one.value for name, one in bound.items() if not one.required}
        self._names = set(self._parameters) - self._literals.keys()
        self._replan = replan

    async def run(self, runner: Runner, parameters: Mapping[str, object]) -> list[asyncpg.Record]:
        """The rows it returns.

        Raises:
            TypeError: the parameters are not those of the statement.
        """
        if parameters.keys() != self._names:
            raise TypeError(f"not the parameters: {parameters.keys() ^ self._names}")
        values = {**self._literals, **parameters}
        arguments = [values[name] for name in self._parameters]
        return await runner.fetch(self.sql, arguments, replan=self._replan)


class Read(Statement):
    """A select whose rows come back as documents of a shape.

    `narrow` adds joins, conditions and order to the select of the shape's columns.
    """

    def __init__(
        self,
        shape: Shape,
        narrow: Callable[[Select[Any]], Select[Any]] = lambda rows: rows,
        *,
        replan: bool = False,
    ) -> None:
        self._shape = shape
        super().__init__(narrow(select(*shape.columns)), replan=replan)

    async def all(self, runner: Runner, **parameters: object) -> list[Document]:
        """Every row, in the select's order."""
        return [self._shape.of_row(row) for row in await self.run(runner, parameters)]

    async def first(self, runner: Runner, **parameters: object) -> Document | None:
        """The first row, or None when there is none."""
        rows = await self.run(runner, parameters)
        return self._shape.of_row(rows[0]) if rows else None
