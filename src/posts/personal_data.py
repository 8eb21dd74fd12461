"""What is held about a user's posts: drafts, the trash and what they said before too."""

from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import Select, func, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by

from src.personal_data import Section
from src.posts.models import Post, PostRevision, PostSlug
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Query, Rows, read

IDS_AT_ONCE = 1000
POSTS_AT_ONCE = 20  # the longest have 400 kB each

_slugs = (
    select(func.array_agg(aggregate_order_by(PostSlug.slug, PostSlug.taken_at.desc())))
    .where(PostSlug.post_id == Post.id)
    .scalar_subquery()
)
_POST = Shape(
    {
        "id": Post.id,
        "slugs": _slugs,
        "title": Post.title,
        "summary": Post.summary,
        "body": Post.body,
        "status": Post.status,
        "tags": Post.tags,
        "version": Post.version,
        "created_at": Post.created_at,
        "updated_at": Post.updated_at,
        "published_at": Post.published_at,
        "publish_at": Post.publish_at,
        "deleted_at": Post.deleted_at,
    }
)

_REVISION = Shape(
    {
        "post_id": PostRevision.post_id,
        "number": PostRevision.number,
        "title": PostRevision.title,
        "summary": PostRevision.summary,
        "body": PostRevision.body,
        "tags": PostRevision.tags,
        "created_at": PostRevision.created_at,
    }
)


# No index has an author's posts in an order that never changes, so each statement of this goes
# through all of them: it takes many at a time, which as ids are small.
@Query
def _ids(user_id: UUID, last_id: UUID) -> Select[UUID]:
    return (
        select(Post.id)
        .where(Post.author_id == user_id, Post.id > last_id)
        .order_by(Post.id)
        .limit(literal_column(str(IDS_AT_ONCE)))
    )


@read(_POST)
def _posts(rows: Rows, ids: list[UUID]) -> Rows:
    return rows.where(Post.id == func.any(ids)).order_by(Post.id)


@read(_REVISION)
def _revisions(rows: Rows, ids: list[UUID], last_id: UUID, last_number: int) -> Rows:
    key, last = tuple_(PostRevision.post_id, PostRevision.number), tuple_(last_id, last_number)
    return (
        rows.where(PostRevision.post_id == func.any(ids), key > last)
        .order_by(PostRevision.post_id, PostRevision.number)
        .limit(literal_column(str(POSTS_AT_ONCE)))
    )


async def _own_ids(reads: Pool, user_id: UUID) -> AsyncIterator[list[UUID]]:
    """A few at a time."""
    ids = [UUID(int=0)]
    while rows := await _ids.all(reads, user_id=user_id, last_id=ids[-1]):
        ids = [post_id for (post_id,) in rows]
        for start in range(0, len(ids), POSTS_AT_ONCE):
            yield ids[start : start + POSTS_AT_ONCE]


async def _documents(reads: Pool, user_id: UUID) -> AsyncIterator[Document]:
    async for ids in _own_ids(reads, user_id):
        for post in await _posts.all(reads, ids=ids):
            yield post


async def _earlier(reads: Pool, user_id: UUID) -> AsyncIterator[Document]:
    async for ids in _own_ids(reads, user_id):
        last_id, last_number = UUID(int=0), 0
        while some := await _revisions.all(
            reads, ids=ids, last_id=last_id, last_number=last_number
        ):
            for revision in some:
                yield revision
            last_id, last_number = some[-1]["post_id"], some[-1]["number"]


_SCOPES = frozenset({"posts:read"})
PERSONAL_DATA = [
    Section("posts", (Post.__tablename__,), _documents, _SCOPES),
    Section("post_revisions", (), _earlier, _SCOPES),
]
