"""Keyset pages: a page follows the last row of the one before; nothing shifts or repeats."""

import base64
import binascii
import inspect
import struct
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Concatenate, Generic, NamedTuple, Protocol, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, literal_column, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from src.exceptions import InvalidInputError
from src.sql.shapes import Document, Shape
from src.sql.statements import Compiled, P, Rows, Runner, written

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# As a parameter it would have PostgreSQL plan each time anew, and each value is a statement.
COMPILED_LIMITS = (DEFAULT_LIMIT + 1, MAX_LIMIT + 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = struct.Struct(">q16s")  # microseconds since the epoch, id

Time: TypeAlias = InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]


class Page(Protocol):
    """Which page: the one that follows the row of the cursor."""

    @property
    def limit(self) -> int: ...

    @property
    def cursor(self) -> str | None: ...


class Listed(NamedTuple):
    """Rows of a list, at least one more than asked for if there are more; and its time's name."""

    rows: list[Document]
    by: str


class Listing(Generic[P]):
    """A list, newest first, of which a page is read at a time.

    It is written as the function that narrows its rows: a parameter without a default is always
    given; one whose default is None is a filter, and None where it is not in use. Each set of
    filters is compiled once. `always` holds for every row; the filters named by `replan` may hold
    for a few rows or for most.

    Raises:
        TypeError: a parameter is not in the statement.
    """

    def __init__(
        self,
        shape: Shape,
        by: Time,
        narrow: Callable[Concatenate[Rows, P], Rows],
        *,
        always: Collection[ColumnElement[bool]] = (),
        replan: Collection[str] = (),
    ) -> None:
        self._shape = shape
        self._by = by
        self._key = tuple_(by, by.class_.id)
        self._narrow = partial(narrow, select(*shape.columns).where(*always))
        parameters = inspect.signature(self._narrow).parameters.values()
        self._always = {one.name for one in parameters if one.default is inspect.Parameter.empty}
        self._filters = {one.name for one in parameters} - self._always
        self._replan = frozenset(replan)
        self._compiled: dict[tuple[frozenset[str], int], Compiled] = {}
        every = self._compile(frozenset({*self._always, *self._filters, "at", "id"}), 1)
        if unused := {*self._always, *self._filters, *replan} - every.names:
            raise TypeError(f"not in the statement: {unused}")

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
            given["at"], given["id"] = decode_cursor(which.cursor)
        key = frozenset(given), next(one for one in COMPILED_LIMITS if one > which.limit)
        statement = self._compiled.get(key)
        if statement is None:
            statement = self._compiled[key] = self._compile(*key)
        rows = await statement.run(runner, given)
        return Listed([self._shape.of_row(row) for row in rows], self._by.key)

    def _compile(self, given: frozenset[str], limit: int) -> Compiled:
        rows: Any = written(self._narrow, given - {"at", "id"})
        if "at" in given:
            rows = rows.where(self._key < tuple_(bindparam("at"), bindparam("id")))
        rows = rows.order_by(*(column.desc() for column in self._key)).limit(
            literal_column(str(limit))
        )
        return Compiled(rows, replan=not self._replan.isdisjoint(given))


def listing(
    shape: Shape, by: Time, *, replan: Collection[str] = ()
) -> Callable[[Callable[Concatenate[Rows, P], Rows]], Listing[P]]:
    """Make the function that narrows the rows of a shape a `Listing`."""

    def decorate(narrow: Callable[Concatenate[Rows, P], Rows]) -> Listing[P]:
        return Listing(shape, by, narrow, replan=replan)

    return decorate


def encode_cursor(at: datetime, row_id: UUID) -> str:
    """The opaque cursor of a row in a list ordered by a time, then by id."""
    key = _KEY.pack((at - _EPOCH) // timedelta(microseconds=1), row_id.bytes)
    return base64.urlsafe_b64encode(key).decode()


def decode_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The time and id of the row that a cursor stands for.

    Raises:
        InvalidInputError: it is not one of ours.
    """
    try:
        microseconds, row_id = _KEY.unpack(base64.b64decode(cursor, b"-_", validate=True))
        return _EPOCH + timedelta(microseconds=microseconds), UUID(bytes=row_id)
    except (binascii.Error, struct.error, OverflowError, ValueError):
        raise InvalidInputError.at("query", "cursor", type="cursor_invalid") from None
