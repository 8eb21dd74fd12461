"""The lists of posts."""

from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, literal_column

from src.posts.filters import PUBLISHED, filtered
from src.posts.models import Post
from src.posts.reads import SHAPES, VIEWED
from src.posts.schemas import (
    MAX_PAGE_TEXT,
    PostFields,
    PostFilter,
    PostSort,
    PostStatusFilter,
)
from src.posts.search.highlights import safe_highlight
from src.posts.search.lists import found
from src.sql.listing import Listed, Listing
from src.sql.pool import Pool
from src.sql.shapes import Document
from src.sql.statements import Rows
from src.users.models import User
from src.users.relationships.reads import not_blocked


def _with_authors(
    rows: Rows,
    viewer_id: UUID | None = None,
    author: str | None = None,
    tags: list[str] | None = None,
    published_after: datetime | None = None,
    published_before: datetime | None = None,
) -> Rows:
    rows = rows.join(User, User.id == Post.author_id)
    if viewer_id is not None:
        rows = rows.where(not_blocked(Post.author_id, viewer_id))
    return filtered(rows, author, tags, published_after, published_before)


def _in(status: PostStatusFilter) -> list[ColumnElement[bool]]:
    """Literals, so that the partial indexes serve; what is not published is the viewer's own."""
    if status == "published":
        return [*PUBLISHED]
    own = Post.author_id == bindparam("viewer_id")
    if status == "trash":
        return [own, Post.deleted_at.is_not(None)]
    kept = [own, Post.deleted_at.is_(None)]
    return kept if status == "any" else [*kept, Post.status == literal_column(f"'{status}'")]


@cache
def _list(
    status: PostStatusFilter, sort: PostSort, fields: PostFields, *, viewed: bool
) -> Listing[...]:
    written_at = Post.published_at if status == "published" else Post.created_at
    return Listing(
        (VIEWED if viewed else SHAPES)[fields],
        Post.likes_count if sort == "popular" else written_at,
        _with_authors,
        descending=sort != "oldest",
        always=_in(status),
        # A tag may be on few posts or on most, and the best plan is not the same.
        replan={"tags"},
    )


async def list_posts(reads: Pool, which: PostFilter, viewer_id: UUID | None) -> Listed:
    """A page of published posts as the viewer sees them, or of their own with another status.

    Those that were searched for have a `highlight`.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    viewed = viewer_id is not None
    if which.q is None:
        listing = _list(which.status, which.order, which.fields, viewed=viewed)
    else:
        listing = found(which.order, which.fields, viewed=viewed)
    listed = await listing.page(
        reads,
        which,
        viewer_id=viewer_id,
        q=which.q,
        author=which.author,
        tags=[which.tag] if which.tag else None,
        published_after=which.published_after,
        published_before=which.published_before,
    )
    if which.q is not None:
        for post in listed.rows:
            post["highlight"] = safe_highlight(post["highlight"])
    return listed


def page_length(rows: list[Document], limit: int) -> int:
    """How many of the rows make a page: up to `limit`, but fewer when their text is long."""
    characters = 0
    for length, row in enumerate(rows[:limit]):
        characters += len(row.get("body", "")) + len(row.get("body_html", ""))
        if characters > MAX_PAGE_TEXT and length:
            return length
    return limit
