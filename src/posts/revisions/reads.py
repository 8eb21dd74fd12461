"""What posts say and said before."""

from uuid import UUID

from sqlalchemy import func, select, union_all

from src.posts.models import Post, PostRevision
from src.posts.revisions.schemas import RevisionRead, RevisionSummary
from src.sql.listing import listing
from src.sql.shapes import Shape
from src.sql.statements import Rows, read
from src.users.models import User

_every = union_all(
    select(
        Post.id.label("post_id"),
        Post.revision.label("number"),
        Post.title,
        Post.summary,
        Post.body,
        Post.tags,
        func.coalesce(Post.edited_at, Post.created_at).label("created_at"),
    ),
    select(
        PostRevision.post_id,
        PostRevision.number,
        PostRevision.title,
        PostRevision.summary,
        PostRevision.body,
        PostRevision.tags,
        PostRevision.created_at,
    ),
).subquery("revisions")
_revision = _every.c
_SUMMARY = Shape.of(RevisionSummary, _revision, editor=User)
_FULL = Shape.of(RevisionRead, _revision, editor=User)


def _of_post(rows: Rows, post_id: UUID) -> Rows:
    """Only the author changes a post."""
    return (
        rows.join(Post, Post.id == _revision.post_id)
        .join(User, User.id == Post.author_id)
        .where(_revision.post_id == post_id)
    )


@listing(_SUMMARY, by=_revision.number, tie=_revision.post_id)
def revisions(rows: Rows, post_id: UUID) -> Rows:
    return _of_post(rows, post_id)


@read(_FULL)
def revision(rows: Rows, post_id: UUID, number: int) -> Rows:
    return _of_post(rows, post_id).where(_revision.number == number)
