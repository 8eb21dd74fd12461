"""The reads of posts."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, literal_column, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from src.pagination import MAX_LIMIT, decode_cursor
from src.posts.models import Post
from src.posts.schemas import MAX_PAGE_TEXT, PostFilter
from src.posts.slugs import slug_to_find
from src.schemas import CANONICAL_UUID
from src.sql.pool import Pool
from src.sql.shapes import Column, Constant, Document, Fields, Shape
from src.sql.statements import Read
from src.users.models import User

_SUMMARY: dict[str, Column | Constant | Fields] = {
    "id": Post.id,
    "slug": Post.slug,
    "title": Post.title,
    "summary": Post.summary,
    "status": Post.status,
    "tags": Post.tags,
    "version": Post.version,
    "created_at": Post.created_at,
    "updated_at": Post.updated_at,
    "published_at": Post.published_at,
    # True while no feature adds covers, likes, comments or bookmarks; clients may rely on them.
    "cover_url": None,
    "likes_count": 0,
    "comments_count": 0,
    "liked": False,
    "bookmarked": False,
    "author": {
        "id": User.id,
        "username": User.username,
        "display_name": User.display_name,
        "avatar_url": None,
    },
}
SUMMARY = Shape(_SUMMARY)
FULL = Shape(_SUMMARY | {"body": Post.body, "body_html": Post.body_html})
COMPILED_LIMITS = (21, MAX_LIMIT + 1)


def _visible_post(key: InstrumentedAttribute[UUID] | InstrumentedAttribute[str]) -> Read:
    return Read(
        FULL,
        lambda rows: rows.join(User, User.id == Post.author_id).where(
            key == bindparam("key"),
            Post.deleted_at.is_(None),
            or_(Post.status == "published", Post.author_id == bindparam("viewer_id")),
        ),
    )


_visible_post_by_id = _visible_post(Post.id)
_visible_post_by_slug = _visible_post(Post.slug)


async def read_post(reads: Pool, id_or_slug: str, viewer_id: UUID | None) -> Document | None:
    """The post if it is published or the viewer's own."""
    if CANONICAL_UUID.fullmatch(id_or_slug):
        return await _visible_post_by_id.first(reads, key=id_or_slug, viewer_id=viewer_id)
    slug = slug_to_find(id_or_slug)
    return await _visible_post_by_slug.first(reads, key=slug, viewer_id=viewer_id)


async def list_posts(
    reads: Pool, which: PostFilter, viewer_id: UUID | None
) -> tuple[list[Document], str]:
    """More rows than a page, if there are more, newest first; and the field the order goes by.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    parameters: dict[str, object] = {
        "author": which.author,
        "tags": [which.tag] if which.tag else None,
        "published_after": which.published_after,
        "published_before": which.published_before,
    }
    parameters = {name: value for name, value in parameters.items() if value is not None}
    if which.status != "published":
        parameters["viewer_id"] = viewer_id
    if which.cursor is not None:
        parameters["at"], parameters["id"] = decode_cursor(which.cursor)
    limit = next(limit for limit in COMPILED_LIMITS if limit > which.limit)
    read = _list_read(which.status, which.fields, limit, frozenset(parameters))
    rows = await read.all(reads, **parameters)
    return rows, _sort_column(which.status).key


def page_length(rows: list[Document], limit: int) -> int:
    """How many of the rows make a page: up to `limit`, but fewer when their text is long."""
    characters = 0
    for length, row in enumerate(rows[:limit]):
        characters += len(row.get("body", "")) + len(row.get("body_html", ""))
        if characters > MAX_PAGE_TEXT and length:
            return length
    return limit


def _sort_column(
    status: str,
) -> InstrumentedAttribute[datetime | None] | InstrumentedAttribute[datetime]:
    return Post.published_at if status == "published" else Post.created_at


@lru_cache(maxsize=256)
def _list_read(status: str, fields: str, limit: int, given: frozenset[str]) -> Read:
    """The read for one combination of filters, compiled once.

    The limit is part of the statement: as a parameter it would have PostgreSQL plan each time anew.
    """
    at = _sort_column(status)
    conditions = {
        "author": User.username == bindparam("author"),
        "tags": Post.tags.contains(bindparam("tags", type_=Post.tags.type)),
        "published_after": Post.published_at > bindparam("published_after"),
        "published_before": Post.published_at < bindparam("published_before"),
        "viewer_id": Post.author_id == bindparam("viewer_id"),
        "at": tuple_(at, Post.id) < tuple_(bindparam("at"), bindparam("id")),
    }
    of_status = [] if status == "any" else [Post.status == literal_column(f"'{status}'")]

    def narrow(rows: Select[Any]) -> Select[Any]:
        return (
            rows.join(User, User.id == Post.author_id)
            .where(*of_status, Post.deleted_at.is_(None))
            .where(*(condition for name, condition in conditions.items() if name in given))
            .order_by(at.desc(), Post.id.desc())
            .limit(literal_column(str(limit)))
        )

    # A tag may be on few posts or on most, and the best plan is not the same.
    return Read(FULL if fields == "full" else SUMMARY, narrow, replan="tags" in given)
