"""The reads of posts."""

from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import ColumnElement, Select, literal_column, or_, select

from src.exceptions import NotFoundError
from src.posts.models import Post, PostSlug
from src.posts.schemas import (
    MAX_PAGE_TEXT,
    PostFields,
    PostFilter,
    PostRead,
    PostStatusFilter,
    PostSummary,
)
from src.posts.slugs.rules import slug_to_find
from src.schemas import canonical_uuid
from src.sql.listing import Listed, Listing
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Query, Rows, read
from src.users.models import User

SHAPES = {
    "summary": Shape.of(PostSummary, Post, author=User),
    "full": Shape.of(PostRead, Post, author=User),
}
FULL = SHAPES["full"]


def _visible(rows: Rows, viewer_id: UUID | None) -> Rows:
    return rows.join(User, User.id == Post.author_id).where(
        Post.deleted_at.is_(None), or_(Post.status == "published", Post.author_id == viewer_id)
    )


@read(FULL)
def _post_by_id(rows: Rows, post_id: UUID, viewer_id: UUID | None) -> Rows:
    return _visible(rows, viewer_id).where(Post.id == post_id)


@read(FULL)
def _post_by_slug(rows: Rows, slug: str, viewer_id: UUID | None) -> Rows:
    return _visible(rows, viewer_id).join(PostSlug).where(PostSlug.slug == slug)


@read(FULL)
def read_preview(rows: Rows, post_id: UUID) -> Rows:
    """The post, whoever asks: it was shown to them by its author."""
    return rows.join(User, User.id == Post.author_id).where(
        Post.id == post_id, Post.deleted_at.is_(None)
    )


_kept = select(Post.id).where(Post.deleted_at.is_(None))


@Query
def _own_by_id(post_id: UUID, author_id: UUID) -> Select[UUID]:
    return _kept.where(Post.id == post_id, Post.author_id == author_id)


@Query
def _own_by_slug(slug: str, author_id: UUID) -> Select[UUID]:
    return _kept.join(PostSlug).where(PostSlug.slug == slug, Post.author_id == author_id)


async def read_post(reads: Pool, id_or_slug: str, viewer_id: UUID | None) -> Document | None:
    """The post if it is published or the viewer's own; also by a slug that it had before."""
    if post_id := canonical_uuid(id_or_slug):
        return await _post_by_id.first(reads, post_id=post_id, viewer_id=viewer_id)
    slug = slug_to_find(id_or_slug)
    return await _post_by_slug.first(reads, slug=slug, viewer_id=viewer_id)


def is_name(id_or_slug: str, post: Document) -> bool:
    """Whether it is the post's id or slug of now."""
    return canonical_uuid(id_or_slug) is not None or slug_to_find(id_or_slug) == post["slug"]


async def own_post_id(reads: Pool, id_or_slug: str, author_id: UUID) -> UUID:
    """The id of the author's post.

    Raises:
        NotFoundError: there is none, or it is somebody else's or in the trash.
    """
    post_id = canonical_uuid(id_or_slug)
    found = (
        await _own_by_id.first(reads, post_id=post_id, author_id=author_id)
        if post_id
        else await _own_by_slug.first(reads, slug=slug_to_find(id_or_slug), author_id=author_id)
    )
    if found is None:
        raise NotFoundError
    return found[0]


def _filtered(
    rows: Rows,
    viewer_id: UUID | None = None,
    author: str | None = None,
    tags: list[str] | None = None,
    published_after: datetime | None = None,
    published_before: datetime | None = None,
) -> Rows:
    rows = rows.join(User, User.id == Post.author_id)
    if viewer_id is not None:
        rows = rows.where(Post.author_id == viewer_id)
    if author is not None:
        rows = rows.where(User.username == author)
    if tags is not None:
        rows = rows.where(Post.tags.contains(tags))
    if published_after is not None:
        rows = rows.where(Post.published_at > published_after)
    if published_before is not None:
        rows = rows.where(Post.published_at < published_before)
    return rows


# Literals, so that the partial indexes serve.
def _in(status: PostStatusFilter) -> list[ColumnElement[bool]]:
    if status == "trash":
        return [Post.deleted_at.is_not(None)]
    kept: list[ColumnElement[bool]] = [Post.deleted_at.is_(None)]
    return kept if status == "any" else [*kept, Post.status == literal_column(f"'{status}'")]


@cache
def _list(status: PostStatusFilter, fields: PostFields) -> Listing[...]:
    return Listing(
        SHAPES[fields],
        Post.published_at if status == "published" else Post.created_at,
        _filtered,
        always=_in(status),
        # A tag may be on few posts or on most, and the best plan is not the same.
        replan={"tags"},
    )


async def list_posts(reads: Pool, which: PostFilter, viewer_id: UUID | None) -> Listed:
    """A page of published posts, newest first; or of the viewer's with another status.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    return await _list(which.status, which.fields).page(
        reads,
        which,
        viewer_id=None if which.status == "published" else viewer_id,
        author=which.author,
        tags=[which.tag] if which.tag else None,
        published_after=which.published_after,
        published_before=which.published_before,
    )


def page_length(rows: list[Document], limit: int) -> int:
    """How many of the rows make a page: up to `limit`, but fewer when their text is long."""
    characters = 0
    for length, row in enumerate(rows[:limit]):
        characters += len(row.get("body", "")) + len(row.get("body_html", ""))
        if characters > MAX_PAGE_TEXT and length:
            return length
    return limit
