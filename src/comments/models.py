"""The comments table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from src.posts.models import Post
from src.sql.tables import Base, Identified, Timestamped, Versioned
from src.users.models import User

MAX_DEPTH = 8


class Comment(Identified, Versioned, Timestamped, Base):
    """A comment on a post, or on another comment of the same post.

    Deleted where there are replies, it stays without its text and its author, who may have deleted
    their account. Triggers keep `comments_count` of posts.
    """

    __tablename__ = "comments"
    __table_args__ = (
        UniqueConstraint("post_id", "id"),
        ForeignKeyConstraint(["post_id", "parent_id"], ["comments.post_id", "comments.id"]),
        CheckConstraint(f"depth BETWEEN 0 AND {MAX_DEPTH}", "not_too_deep"),
        CheckConstraint("(parent_id IS NULL) = (depth = 0)", "depth_of_parent"),
        CheckConstraint("(author_id IS NULL) = (deleted_at IS NOT NULL)", "author_or_deleted"),
        Index(None, "post_id", "created_at", "id"),
        Index(None, "post_id", "parent_id", "created_at", "id"),
        Index(None, "author_id", "created_at", "id"),
    )

    post_id: Mapped[UUID] = mapped_column(ForeignKey(Post.id, ondelete="CASCADE"))
    parent_id: Mapped[UUID | None]
    depth: Mapped[int]
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey(User.id))
    body: Mapped[str]
    body_html: Mapped[str]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
