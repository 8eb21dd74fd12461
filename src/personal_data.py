"""What is held about a user: every feature says it for its own tables.

`src/main.py` lists the sections of the export of one's data.
"""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, literal_column, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Compiled

ROWS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Section:
    """One list of documents, and the tables that it is the export of.

    `documents` takes few rows at a time, so that the longest list needs little memory. They hold
    no secret and no hash of one, and nothing about anybody else. `scopes` are those that the routes
    ask for where one reads the same.
    """

    name: str
    tables: tuple[str, ...]
    documents: Callable[[Pool, UUID], AsyncIterator[Document]]
    scopes: frozenset[str]


def rows_of(
    name: str,
    owner: InstrumentedAttribute[Any],
    shape: Shape,
    *key: InstrumentedAttribute[Any],
    scopes: Collection[str],
) -> Section:
    """The section of a table's rows whose `owner` is the user.

    They come in the order of `key`, which never changes, and is unique among one user's rows.
    """
    rows = (
        select(*shape.columns, *key)
        .where(owner == bindparam("user_id"))
        .order_by(*key)
        .limit(literal_column(str(ROWS_AT_ONCE)))
    )
    last = [f"last_{number}" for number in range(len(key))]
    first_rows = Compiled(rows)
    next_rows = Compiled(rows.where(tuple_(*key) > tuple_(*map(bindparam, last))))

    async def documents(reads: Pool, user_id: UUID) -> AsyncIterator[Document]:
        batch = await first_rows.run(reads, {"user_id": user_id})
        while batch:
            for row in batch:
                yield shape.of_row(row)
            if len(batch) < ROWS_AT_ONCE:
                return
            values = tuple(batch[-1])[-len(key) :]
            batch = await next_rows.run(
                reads, {"user_id": user_id} | dict(zip(last, values, strict=True))
            )

    return Section(name, (owner.class_.__tablename__,), documents, frozenset(scopes))
