"""The list of tags."""

import base64
import binascii
import struct

import asyncpg
from sqlalchemy import ColumnElement, literal_column, tuple_

from src.exceptions import InvalidInputError
from src.posts.tags.models import Tag
from src.posts.tags.schemas import TagFilter, TagRead
from src.sql.listing import MAX_LIMIT, Listed
from src.sql.pool import Pool
from src.sql.shapes import Shape
from src.sql.statements import Rows, read

_TAG = Shape.of(TagRead, Tag)
_ROWS: ColumnElement[int] = literal_column(str(MAX_LIMIT + 1))
_RANK = -Tag.posts_count
_COUNT = ">i"
# Before every tag, and after.
_MOST, _FIRST, _LAST = 2**31 - 1, "", "\U0010ffff"


@read(_TAG)
def _most_used(rows: Rows, rank: int, name: str) -> Rows:
    return (
        rows.where(tuple_(_RANK, Tag.name) > tuple_(rank, name))
        .order_by(_RANK, Tag.name)
        .limit(_ROWS)
    )


# Few tags may begin so or most, and the best plan is not the same.
@read(_TAG, replan=True)
def _most_used_from(rows: Rows, first: str, last: str, rank: int, name: str) -> Rows:
    return (
        rows.where(Tag.name >= first, Tag.name < last)
        .where(tuple_(_RANK, Tag.name) > tuple_(rank, name))
        .order_by(_RANK, Tag.name)
        .limit(_ROWS)
    )


@read(_TAG)
def _by_name(rows: Rows, first: str, last: str, name: str) -> Rows:
    return (
        rows.where(Tag.name >= first, Tag.name < last, Tag.name > name)
        .order_by(Tag.name)
        .limit(_ROWS)
    )


async def list_tags(reads: Pool, which: TagFilter) -> Listed:
    """A page of the tags that published posts have; cursors of one order do in the other, too.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    count, name = _decode(which.cursor) if which.cursor is not None else (_MOST, _FIRST)
    first, last = which.q or _FIRST, (which.q or "") + _LAST
    if which.sort == "name":
        rows = await _by_name.run(reads, first=first, last=last, name=name)
    elif which.q:
        rows = await _most_used_from.run(reads, first=first, last=last, rank=-count, name=name)
    else:
        rows = await _most_used.run(reads, rank=-count, name=name)
    return Listed(_TAG, rows, _cursor_of)


def _cursor_of(row: asyncpg.Record) -> str:
    packed = struct.pack(_COUNT, row["posts_count"]) + row["name"].encode()
    return base64.urlsafe_b64encode(packed).decode()


def _decode(cursor: str) -> tuple[int, str]:
    try:
        packed = base64.b64decode(cursor, b"-_", validate=True)
        [count] = struct.unpack(_COUNT, packed[:4])
        name = packed[4:].decode()
    except (binascii.Error, struct.error, ValueError):
        raise InvalidInputError.at("query", "cursor", type="cursor_invalid") from None
    if count < 0 or "\0" in name:
        raise InvalidInputError.at("query", "cursor", type="cursor_invalid")
    return count, name
