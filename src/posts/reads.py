"""The reads of posts; `src/posts/lists.py` has the lists."""

from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, literal_column, or_, select

from src.exceptions import NotFoundError
from src.posts.filters import PUBLISHED
from src.posts.models import Post, PostSlug
from src.posts.reactions.models import Bookmark, Like
from src.posts.schemas import PostFields, PostRead, PostSummary
from src.posts.slugs.rules import slug_to_find
from src.schemas import canonical_uuid
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Query, Rows, Runner, read
from src.users.models import User
from src.users.relationships.reads import not_blocked


def _has(reaction: type[Like | Bookmark]) -> ColumnElement[bool]:
    """Whether there is one of the viewer's: for EXISTS, PostgreSQL may read all that they have."""
    return (
        select(literal_column("1"))
        .select_from(reaction)
        .where(reaction.post_id == Post.id, reaction.user_id == bindparam("viewer_id"))
        .correlate(Post)
        .scalar_subquery()
        .is_not(None)
    )


def _shapes(**reactions: ColumnElement[bool]) -> dict[PostFields, Shape]:
    return {
        "summary": Shape.of(PostSummary, Post, author=User, **reactions),
        "full": Shape.of(PostRead, Post, author=User, **reactions),
    }


# As anybody sees a post; and as its viewer does, who is looked up in the two tables for each.
SHAPES = _shapes()
VIEWED = _shapes(liked=_has(Like), bookmarked=_has(Bookmark))


def visible_to(viewer_id: UUID) -> ColumnElement[bool]:
    """Posts that are the viewer's own, or published and of nobody who blocks or is blocked."""
    return and_(
        Post.deleted_at.is_(None),
        or_(
            Post.author_id == viewer_id,
            and_(Post.status == "published", not_blocked(Post.author_id, viewer_id)),
        ),
    )


def _with_author(rows: Rows) -> Rows:
    return rows.join(User, User.id == Post.author_id)


@read(SHAPES["full"])
def _post_by_id(rows: Rows, post_id: UUID) -> Rows:
    return _with_author(rows).where(Post.id == post_id, *PUBLISHED)


@read(SHAPES["full"])
def _post_by_slug(rows: Rows, slug: str) -> Rows:
    return _with_author(rows).join(PostSlug).where(PostSlug.slug == slug, *PUBLISHED)


@read(VIEWED["full"])
def _viewed_by_id(rows: Rows, post_id: UUID, viewer_id: UUID) -> Rows:
    return _with_author(rows).where(Post.id == post_id, visible_to(viewer_id))


@read(VIEWED["full"])
def _viewed_by_slug(rows: Rows, slug: str, viewer_id: UUID) -> Rows:
    found = _with_author(rows).join(PostSlug)
    return found.where(PostSlug.slug == slug, visible_to(viewer_id))


@read(SHAPES["full"])
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


def named(id_or_slug: str) -> ColumnElement[bool]:
    """The post that has this id, or has or had this slug."""
    if post_id := canonical_uuid(id_or_slug):
        return Post.id == post_id
    slug = slug_to_find(id_or_slug)
    return Post.id.in_(select(PostSlug.post_id).where(PostSlug.slug == slug))


async def read_post(reads: Pool, id_or_slug: str, viewer_id: UUID | None) -> Document | None:
    """The post if it is published or the viewer's own; also by a slug that it had before."""
    if post_id := canonical_uuid(id_or_slug):
        if viewer_id is None:
            return await _post_by_id.first(reads, post_id=post_id)
        return await _viewed_by_id.first(reads, post_id=post_id, viewer_id=viewer_id)
    slug = slug_to_find(id_or_slug)
    if viewer_id is None:
        return await _post_by_slug.first(reads, slug=slug)
    return await _viewed_by_slug.first(reads, slug=slug, viewer_id=viewer_id)


async def read_changed(work: Runner, post: Post) -> Document:
    """The post as its author sees it, with what is flushed."""
    return await _viewed_by_id.one(work, post_id=post.id, viewer_id=post.author_id)


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
