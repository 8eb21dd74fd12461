"""What travels about comments."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from typing_extensions import TypeAliasType

from src.pagination import PageQuery
from src.posts.schemas import PostAuthor
from src.schemas import Id, Input, Output, Text, left_out

MAX_COMMENT_BYTES = 128 * 1024  # in JSON: the longest text takes it when its letters are escaped

CommentSort = TypeAliasType("CommentSort", Literal["oldest", "newest"])
CommentBody = Annotated[str, Text(10_000, lines=True), Field(examples=["I *like* it."])]


class CommentCreate(Input):
    """A new comment: on the post, or with `parent_id` on another comment of it."""

    body: CommentBody
    parent_id: Id = left_out()


class CommentUpdate(Input):
    """The new text."""

    body: CommentBody


class CommentFilter(PageQuery):
    """Which comments of a post: all, those on the post itself, or those on another comment."""

    top_level: bool = False
    parent_id: Id | None = None
    sort: CommentSort = "oldest"


class CommentText(Output):
    """What a comment is, without its author."""

    id: UUID
    post_id: UUID
    parent_id: Annotated[UUID | None, Field(description="Null if it is on the post itself")]
    depth: Annotated[int, Field(description="0 if it is on the post itself")]
    body: str
    body_html: Annotated[str, Field(examples=["<p>I <em>like</em> it.</p>"])]
    deleted: bool
    replies_count: Annotated[int, Field(description="How many comments there are on it")]
    version: int
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None


class CommentRead(CommentText):
    """A comment. Of one that is deleted and has replies, only its place is left."""

    author: Annotated[PostAuthor | None, Field(description="Null if it is deleted")]
