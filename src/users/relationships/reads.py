"""Who follows, is followed and is blocked; and what those who block see of each other: nothing."""

from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from src.personal_data import rows_of
from src.sql.listing import Listing
from src.sql.shapes import Shape
from src.sql.statements import Query, Rows
from src.users.models import User
from src.users.relationships.models import Block, Follow
from src.users.relationships.schemas import UserSummary

_USER = Shape.of(UserSummary, User)


def not_blocked(
    user_id: InstrumentedAttribute[Any], viewer_id: UUID | BindParameter[Any] | None
) -> ColumnElement[bool]:
    """Whether neither of the two has blocked the other.

    PostgreSQL looks up whom the viewer does not see once for a statement.
    """
    return user_id.not_in(
        union_all(
            select(Block.blocked_id).where(Block.blocker_id == viewer_id),
            select(Block.blocker_id).where(Block.blocked_id == viewer_id),
        )
    )


@Query
def visible_id(username: str, viewer_id: UUID | None) -> Select[UUID]:
    """The id of an active user whom the viewer sees."""
    return select(User.id).where(
        User.username == username, User.is_active, not_blocked(User.id, viewer_id)
    )


def _shown(rows: Rows, viewer_id: UUID | None, shown: InstrumentedAttribute[UUID]) -> Rows:
    return rows.join(User, User.id == shown).where(User.is_active, not_blocked(User.id, viewer_id))


def _followers(rows: Rows, user_id: UUID, viewer_id: UUID | None) -> Rows:
    rows = rows.select_from(Follow).where(Follow.followed_id == user_id)
    return _shown(rows, viewer_id, Follow.follower_id)


def _following(rows: Rows, user_id: UUID, viewer_id: UUID | None) -> Rows:
    rows = rows.select_from(Follow).where(Follow.follower_id == user_id)
    return _shown(rows, viewer_id, Follow.followed_id)


def _blocked(rows: Rows, blocker_id: UUID) -> Rows:
    own = rows.select_from(Block).where(Block.blocker_id == blocker_id)
    return own.join(User, User.id == Block.blocked_id)


FOLLOWERS = Listing(_USER, Follow.created_at, _followers, tie=Follow.follower_id)
FOLLOWING = Listing(_USER, Follow.created_at, _following, tie=Follow.followed_id)
BLOCKED = Listing(_USER, Block.created_at, _blocked, tie=Block.blocked_id)

_SCOPES = {"follows:read"}
PERSONAL_DATA = [
    rows_of(
        "follows",
        Follow.follower_id,
        Shape({"user_id": Follow.followed_id, "created_at": Follow.created_at}),
        Follow.created_at,
        Follow.followed_id,
        scopes=_SCOPES,
    ),
    rows_of(
        "blocks",
        Block.blocker_id,
        Shape({"user_id": Block.blocked_id, "created_at": Block.created_at}),
        Block.created_at,
        Block.blocked_id,
        scopes=_SCOPES,
    ),
]
