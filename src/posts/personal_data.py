"""What the posts table holds about a user: all their posts, drafts and those in the trash too."""

from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import Select, func, literal_column, select

from src.personal_data import Section
from src.posts.models import Post
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Query, Rows, read

IDS_AT_ONCE = 1000
POSTS_AT_ONCE = 20  # the longest have 400 kB each

_POST = Shape(
    {
        "id": Post.id,
        "slug": Post.slug,
        "title": Post.title,
        "summary": Post.summary,
        "body": Post.body,
        "status": Post.status,
        "tags": Post.tags,
        "version": Post.version,
        "created_at": Post.created_at,
        "updated_at": Post.updated_at,
        "published_at": Post.published_at,
        "deleted_at": Post.deleted_at,
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


async def _documents(reads: Pool, user_id: UUID) -> AsyncIterator[Document]:
    ids = [UUID(int=0)]
    while rows := await _ids.all(reads, user_id=user_id, last_id=ids[-1]):
        ids = [post_id for (post_id,) in rows]
        for start in range(0, len(ids), POSTS_AT_ONCE):
            some = ids[start : start + POSTS_AT_ONCE]
            for post in await _posts.all(reads, ids=some):
                yield post


PERSONAL_DATA = [Section("posts", (Post.__tablename__,), _documents, frozenset({"posts:read"}))]
