"""Who follows whom, and who has blocked whom."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from src.sql.tables import Base
from src.users.models import User


class Follow(Base):
    """That somebody follows a user. Triggers keep both counts of users."""

    __tablename__ = "follows"
    __table_args__ = (
        CheckConstraint("follower_id <> followed_id", "another"),
        Index(None, "follower_id", "created_at", "followed_id"),
        Index(None, "followed_id", "created_at", "follower_id"),
    )

    follower_id: Mapped[UUID] = mapped_column(
        ForeignKey(User.id, ondelete="CASCADE"), primary_key=True
    )
    followed_id: Mapped[UUID] = mapped_column(
        ForeignKey(User.id, ondelete="CASCADE"), primary_key=True
    )
    created_at: Mapped[datetime]


class Block(Base):
    """That somebody wants to see nothing of a user, and be seen by them as little."""

    __tablename__ = "blocks"
    __table_args__ = (
        CheckConstraint("blocker_id <> blocked_id", "another"),
        Index(None, "blocker_id", "created_at", "blocked_id"),
        Index(None, "blocked_id"),
    )

    blocker_id: Mapped[UUID] = mapped_column(
        ForeignKey(User.id, ondelete="CASCADE"), primary_key=True
    )
    blocked_id: Mapped[UUID] = mapped_column(
        ForeignKey(User.id, ondelete="CASCADE"), primary_key=True
    )
    created_at: Mapped[datetime]


class FollowCount(Base):
    """How many follow a user, and are followed by them; none is written before the first.

    It is apart from the user, whose row is locked while the account is deleted.
    """

    __tablename__ = "follow_counts"
    __table_args__ = (CheckConstraint("following_count <= 5000", "not_too_many"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    followers_count: Mapped[int]
    following_count: Mapped[int]
