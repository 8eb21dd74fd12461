"""Keyset pages: a page follows the last row of the one before; nothing shifts or repeats."""

import base64
import binascii
import inspect
import math
import struct
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Concatenate, Generic, Protocol, TypeAlias, cast
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, Subquery, bindparam, literal_column, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from src.exceptions import InvalidInputError
from src.sql.shapes import Column, Document, Shape
from src.sql.statements import Compiled, P, Rows, Runner, written

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# As a parameter it would have PostgreSQL plan each time anew, and each value is a statement.
COMPILED_LIMITS = (DEFAULT_LIMIT + 1, MAX_LIMIT + 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ID_LENGTH = 16
_BEYOND = 2**31  # of PostgreSQL's integers

# What a list can be in the order of, and its values.
KeyColumn: TypeAlias = InstrumentedAttribute[Any] | ColumnElement[Any]
Key: TypeAlias = datetime | int | float


class Page(Protocol):
    """Which page: the one that follows the row of the cursor."""

    @property
    def limit(self) -> int: ...

    @property
    def cursor(self) -> str | None: ...


class Listed:
    """Rows of a list, at least one more than asked for if there are more."""

    def __init__(
        self,
        shape: Shape,
        records: Sequence[asyncpg.Record],
        cursor_of: Callable[[asyncpg.Record], str],
    ) -> None:
        self.rows: list[Document] = list(map(shape.of_row, records))
        self._records = records
        self._cursor_of = cursor_of

    def cursor(self, index: int) -> str:
        """The cursor of the page that follows the row of this index."""
        return self._cursor_of(self._records[index])


class Listing(Generic[P]):
    """A list, of which a page is read at a time.

    It is in the order of `by`, highest and newest first if `descending`, and where that is the same
    of `tie`, the id of what is listed. It is written as the function that narrows its rows: a
    parameter without a default is always given; one whose default is None is a filter, and None
    where it is not in use. Each set of filters is compiled once. `always` holds for every row; what
    it and the shape have as parameters is always given, too. The filters named by `replan` may hold
    for a few rows or for most. With `joined`, what is narrowed are the keys alone, and it joins
    what is shown to those of a page.

    Raises:
        TypeError: a parameter is not in the statement.
    """

    def __init__(
        self,
        shape: Shape,
        by: KeyColumn,
        narrow: Callable[Concatenate[Rows, P], Rows],
        *,
        tie: KeyColumn | None = None,
        descending: bool = True,
        always: Collection[ColumnElement[bool]] = (),
        replan: Collection[str] = (),
        joined: Callable[[Rows, Subquery], Rows] | None = None,
    ) -> None:
        self._shape = shape
        self._key = (by, cast("InstrumentedAttribute[Any]", by).class_.id if tie is None else tie)
        self._kind = by.type.python_type
        self._descending = descending
        columns = [*shape.columns]
        self._key_indexes = _index(columns, self._key[0]), _index(columns, self._key[1])
        self._joined = joined
        self._narrow = partial(narrow, select(*(self._key if joined else columns)).where(*always))
        parameters = inspect.signature(self._narrow).parameters
        self._names = parameters.keys()
        self._replan = frozenset(replan)
        self._compiled: dict[tuple[frozenset[str], int], Compiled] = {}
        every = self._compile(frozenset({*self._names, "at", "id"}), 1)
        if unused := {*self._names, *replan} - every.names:
            raise TypeError(f"not in the statement: {unused}")
        filters = {one.name for one in parameters.values() if one.default is None}
        self._always = every.names - filters - {"at", "id"}

    async def page(self, runner: Runner, which: Page, *args: P.args, **kwargs: P.kwargs) -> Listed:
        """The rows of a page, or the newest without a cursor; and more if there are more.

        Raises:
            InvalidInputError: the cursor is not one of ours.
        """
        if args:
            raise TypeError("parameters of a list are given by name")
        given: dict[str, Any] = {
            name: value
            for name, value in kwargs.items()
            if value is not None or name in self._always
        }
        if which.cursor is not None:
            given["at"], given["id"] = decode_cursor(which.cursor, self._kind)
        key = frozenset(given), next(one for one in COMPILED_LIMITS if one > which.limit)
        statement = self._compiled.get(key)
        if statement is None:
            statement = self._compiled[key] = self._compile(*key)
        return Listed(self._shape, await statement.run(runner, given), self._cursor_of)

    def _cursor_of(self, record: asyncpg.Record) -> str:
        by, tie = self._key_indexes
        return encode_cursor(record[by], record[tie])

    def _compile(self, given: frozenset[str], limit: int) -> Compiled:
        rows: Any = written(self._narrow, given & self._names)
        if "at" in given:
            key, last = tuple_(*self._key), tuple_(bindparam("at"), bindparam("id"))
            rows = rows.where(key < last if self._descending else key > last)
        rows = rows.order_by(*self._order(*self._key)).limit(literal_column(str(limit)))
        if self._joined:
            page = rows.subquery("page")
            rows = select(*self._shape.columns, *page.c).order_by(*self._order(*page.c))
            rows = self._joined(rows, page)
        return Compiled(rows, replan=not self._replan.isdisjoint(given))

    def _order(self, *key: KeyColumn) -> list[ColumnElement[Any]]:
        return [one.desc() if self._descending else one.asc() for one in key]


def listing(
    shape: Shape,
    by: KeyColumn,
    *,
    tie: KeyColumn | None = None,
    descending: bool = True,
    replan: Collection[str] = (),
) -> Callable[[Callable[Concatenate[Rows, P], Rows]], Listing[P]]:
    """Make the function that narrows the rows of a shape a `Listing`."""

    def decorate(narrow: Callable[Concatenate[Rows, P], Rows]) -> Listing[P]:
        return Listing(shape, by, narrow, tie=tie, descending=descending, replan=replan)

    return decorate


def _index(columns: list[Column], wanted: KeyColumn) -> int:
    """Where it is among the columns, last if it was not there yet."""
    for index, column in enumerate(columns):
        if column is wanted:
            return index
    columns.append(wanted)
    return len(columns) - 1


def encode_cursor(key: Key, row_id: UUID) -> str:
    """The opaque cursor of a row in a list ordered by a key, then by id."""
    if isinstance(key, datetime):
        key = (key - _EPOCH) // _MICROSECOND
    packed = struct.pack(">d" if isinstance(key, float) else ">q", key)
    return base64.urlsafe_b64encode(packed + row_id.bytes).decode()


def decode_cursor(cursor: str, kind: type[Key] = datetime) -> tuple[Key, UUID]:
    """The key, of this kind, and the id of the row that a cursor stands for.

    Raises:
        InvalidInputError: it is not one of ours.
    """
    try:
        packed = base64.b64decode(cursor, b"-_", validate=True)
        [key] = struct.unpack(">d" if kind is float else ">q", packed[:-_ID_LENGTH])
        if kind is datetime:
            key = _EPOCH + key * _MICROSECOND
        elif not (math.isfinite(key) if kind is float else -_BEYOND <= key < _BEYOND):
            raise ValueError("not a number of PostgreSQL")
        return key, UUID(bytes=packed[-_ID_LENGTH:])
    except (binascii.Error, struct.error, OverflowError, ValueError):
        raise InvalidInputError.at("query", "cursor", type="cursor_invalid") from None
