"""The reads of comments: of posts that the viewer sees, by people whom they see."""

from functools import cache
from typing import cast
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import aliased

from src.comments.models import Comment
from src.comments.schemas import CommentFilter, CommentSort, CommentText
from src.exceptions import NotFoundError
from src.personal_data import rows_of
from src.posts.filters import PUBLISHED
from src.posts.models import Post
from src.posts.reads import read_post, visible_to
from src.posts.schemas import PostAuthor
from src.sql.listing import Listed, Listing
from src.sql.pool import Pool
from src.sql.shapes import Document, Fields, Shape
from src.sql.statements import Rows, Runner, read
from src.users.models import User
from src.users.relationships.reads import not_blocked

_reply = aliased(Comment)
_replies_count = (
    select(func.count())
    .where(_reply.post_id == Comment.post_id, _reply.parent_id == Comment.id)
    .correlate(Comment)
    .scalar_subquery()
)
_TEXT = Shape.of(
    CommentText,
    Comment,
    deleted=Comment.deleted_at.is_not(None),
    replies_count=_replies_count,
)
_AUTHOR = Shape.of(PostAuthor, User)
_COMMENT = Shape({**_TEXT.fields, "author": cast("Fields", _AUTHOR.fields)})


def _seen(rows: Rows, viewer_id: UUID | None) -> Rows:
    rows = rows.outerjoin(User, User.id == Comment.author_id)
    if viewer_id is None:
        return rows
    return rows.where(or_(Comment.author_id.is_(None), not_blocked(Comment.author_id, viewer_id)))


@read(_COMMENT)
def _public_comment(rows: Rows, comment_id: UUID) -> Rows:
    post = and_(Post.id == Comment.post_id, *PUBLISHED)
    return _seen(rows, None).join(Post, post).where(Comment.id == comment_id)


@read(_COMMENT)
def _viewed_comment(rows: Rows, comment_id: UUID, viewer_id: UUID) -> Rows:
    post = and_(Post.id == Comment.post_id, visible_to(viewer_id))
    return _seen(rows, viewer_id).join(Post, post).where(Comment.id == comment_id)


def _of_post(
    rows: Rows, post_id: UUID, viewer_id: UUID | None = None, parent_id: UUID | None = None
) -> Rows:
    rows = _seen(rows, viewer_id).where(Comment.post_id == post_id)
    return rows if parent_id is None else rows.where(Comment.parent_id == parent_id)


@cache
def _list(sort: CommentSort, *, top_level: bool) -> Listing[...]:
    return Listing(
        _COMMENT,
        Comment.created_at,
        _of_post,
        descending=sort == "newest",
        always=[Comment.parent_id.is_(None)] if top_level else [],
    )


async def list_comments(
    reads: Pool, id_or_slug: str, which: CommentFilter, viewer_id: UUID | None
) -> Listed:
    """A page of the comments of a post that the viewer sees.

    Raises:
        NotFoundError: they do not see it, or there is none.
        InvalidInputError: the cursor is not one of ours.
    """
    post = await read_post(reads, id_or_slug, viewer_id)
    if post is None:
        raise NotFoundError
    listed = await _list(which.sort, top_level=which.top_level).page(
        reads, which, post_id=post["id"], viewer_id=viewer_id, parent_id=which.parent_id
    )
    for comment in listed.rows:
        _without_nobody(comment)
    return listed


async def read_comment(runner: Runner, comment_id: UUID, viewer_id: UUID | None) -> Document:
    """A comment on a post that the viewer sees.

    Raises:
        NotFoundError: they do not see it, or there is none.
    """
    if viewer_id is None:
        comment = await _public_comment.one(runner, comment_id=comment_id)
    else:
        comment = await _viewed_comment.one(runner, comment_id=comment_id, viewer_id=viewer_id)
    return _without_nobody(comment)


def _without_nobody(comment: Document) -> Document:
    if comment["deleted"]:
        comment["author"] = None
    return comment


PERSONAL_DATA = [
    rows_of(
        "comments",
        Comment.author_id,
        Shape(
            {
                "id": Comment.id,
                "post_id": Comment.post_id,
                "parent_id": Comment.parent_id,
                "body": Comment.body,
                "created_at": Comment.created_at,
                "updated_at": Comment.updated_at,
            }
        ),
        Comment.created_at,
        Comment.id,
        scopes=(),
    )
]
