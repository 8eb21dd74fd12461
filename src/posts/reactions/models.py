"""The tables of likes and bookmarks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from src.posts.models import Post
from src.sql.tables import Base
from src.users.models import User


class Like(Base):
    """That somebody likes a post. A trigger keeps `likes_count` of posts."""

    __tablename__ = "likes"
    __table_args__ = (Index(None, "user_id", "created_at", "post_id"),)

    post_id: Mapped[UUID] = mapped_column(ForeignKey(Post.id, ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]


class Bookmark(Base):
    """That somebody wants to find a post again."""

    __tablename__ = "bookmarks"
    __table_args__ = (
        Index(None, "user_id", "created_at", "post_id"),
        Index(None, "post_id"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[UUID] = mapped_column(ForeignKey(Post.id, ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]
