"""Statements that need no entities: how every feature answers a GET and writes new rows.

A statement of SQLAlchemy's Core is compiled once at import to PostgreSQL's own SQL, and runs
prepared. It is written as a function, whose parameters are the statement's: each is a bound
parameter when the function is called, at import, and a value whenever the statement runs.

    @read(NOTE)
    def own_note(rows: Rows, owner_id: UUID, note_id: UUID) -> Rows:
        return rows.where(Note.owner_id == owner_id, Note.id == note_id)

    note = await own_note.first(reads, owner_id=owner.user_id, note_id=note_id)

docs/decisions/reads-and-writes.md has the reasons and the figures.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVarTuple,
    cast,
)

import asyncpg
from sqlalchemy import Dialect, Executable, Insert, Select, bindparam, insert, select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from src.exceptions import NotFoundError
from src.sql.shapes import Document, Shape

P = ParamSpec("P")
Columns = TypeVarTuple("Columns")
# A select of the columns of a shape, to be narrowed by joins, conditions and an order.
Rows: TypeAlias = Select[Any]

_DIALECT: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class Runner(Protocol):
    """Where a statement runs: a `Pool`, in autocommit, a `Transaction` or a `DatabaseSession`."""

    def fetch(
        self, sql: str, arguments: list[object], *, replan: bool = False
    ) -> Awaitable[list[asyncpg.Record]]:
        """Run it.

        Raises:
            OverloadedError: no connection came free in time.
            DatabaseUnavailableError: none could be opened.
        """

    async def write(self, sql: str, arguments: list[object]) -> None:
        """Run one that nothing waits for but the end of the transaction.

        Raises:
            OverloadedError, DatabaseUnavailableError: as `fetch` does, now or at the end.
        """


class Compiled:
    """A compiled statement; its `bindparam`s, or all columns of an INSERT, are its parameters.

    With `replan`, PostgreSQL plans it for the arguments of each run: for conditions that may hold
    for a few rows or for most.
    """

    def __init__(self, statement: ClauseElement, *, replan: bool = False) -> None:
        compiled = cast("SQLCompiler", statement.compile(dialect=_DIALECT))
        self.sql: str = compiled.string
        self._order = compiled.positiontup or []
        bound = {name: compiled.binds[name] for name in self._order}
        self._literals = {name: one.value for name, one in bound.items() if not one.required}
        self.names = bound.keys() - self._literals.keys()
        self._replan = replan

    def run(
        self, runner: Runner, parameters: Mapping[str, object]
    ) -> Awaitable[list[asyncpg.Record]]:
        """The rows it returns.

        Raises:
            TypeError: the parameters are not those of the statement.
        """
        return runner.fetch(self.sql, self.arguments(parameters), replan=self._replan)

    def arguments(self, parameters: Mapping[str, object]) -> list[object]:
        """The parameters in the order of the statement.

        Raises:
            TypeError: the parameters are not those of the statement.
        """
        if parameters.keys() != self.names:
            raise TypeError(f"not the parameters: {parameters.keys() ^ self.names}")
        values = {**self._literals, **parameters}
        return list(map(values.__getitem__, self._order))


def written(write: Callable[..., Executable], names: Iterable[str]) -> ClauseElement:
    """The statement that a function writes when those of its parameters are bound."""
    return cast("ClauseElement", write(**{name: bindparam(name) for name in names}))


class NewRow:
    """The INSERT of a row of a table, with a value for each of its columns.

    It may be given as a statement, which inserts what belongs to the row, too.
    """

    def __init__(self, table: type[Any] | Insert) -> None:
        self._insert = Compiled(insert(table) if isinstance(table, type) else table)

    async def write(self, runner: Runner, values: Mapping[str, object]) -> None:
        """Write the row.

        Raises:
            TypeError: the values are not those of the columns.
        """
        await runner.write(self._insert.sql, self._insert.arguments(values))


class Statement(Generic[P]):
    """A statement that takes the parameters of the function that writes it.

    Raises:
        TypeError: a parameter is not in the statement.
    """

    def __init__(self, write: Callable[P, Executable], *, replan: bool = False) -> None:
        self._names = list(inspect.signature(write).parameters)
        self._compiled = Compiled(written(write, self._names), replan=replan)
        self.sql = self._compiled.sql
        if unused := self._compiled.names ^ set(self._names):
            raise TypeError(f"not in the statement and the function: {unused}")

    def run(
        self, runner: Runner, *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[list[asyncpg.Record]]:
        """The rows it returns."""
        values = dict(zip(self._names, args, strict=False)) | kwargs if args else kwargs
        return self._compiled.run(runner, values)


class Query(Statement[P], Generic[P, *Columns]):
    """A select whose rows are tuples."""

    def __init__(self, write: Callable[P, Select[*Columns]], *, replan: bool = False) -> None:
        super().__init__(write, replan=replan)

    async def all(
        self, runner: Runner, *args: P.args, **kwargs: P.kwargs
    ) -> Sequence[tuple[*Columns]]:
        """Every row."""
        return cast("Sequence[tuple[*Columns]]", await self.run(runner, *args, **kwargs))

    async def first(
        self, runner: Runner, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[*Columns] | None:
        """The first row, or None when there is none."""
        rows = await self.run(runner, *args, **kwargs)
        return cast("tuple[*Columns]", rows[0]) if rows else None


class Read(Statement[P]):
    """A select whose rows come back as documents of a shape."""

    def __init__(
        self,
        shape: Shape,
        narrow: Callable[Concatenate[Rows, P], Rows],
        *,
        replan: bool = False,
    ) -> None:
        self._shape = shape
        super().__init__(partial(narrow, select(*shape.columns)), replan=replan)

    async def all(self, runner: Runner, *args: P.args, **kwargs: P.kwargs) -> list[Document]:
        """Every row, in the select's order."""
        return [self._shape.of_row(row) for row in await self.run(runner, *args, **kwargs)]

    async def first(self, runner: Runner, *args: P.args, **kwargs: P.kwargs) -> Document | None:
        """The first row, or None when there is none."""
        rows = await self.run(runner, *args, **kwargs)
        return self._shape.of_row(rows[0]) if rows else None

    async def one(self, runner: Runner, *args: P.args, **kwargs: P.kwargs) -> Document:
        """The first row.

        Raises:
            NotFoundError: there is none.
        """
        found = await self.first(runner, *args, **kwargs)
        if found is None:
            raise NotFoundError
        return found


def read(
    shape: Shape, *, replan: bool = False
) -> Callable[[Callable[Concatenate[Rows, P], Rows]], Read[P]]:
    """Make the function that narrows the rows of a shape a `Read`."""

    def decorate(narrow: Callable[Concatenate[Rows, P], Rows]) -> Read[P]:
        return Read(shape, narrow, replan=replan)

    return decorate
