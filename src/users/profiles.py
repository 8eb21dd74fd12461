"""What everybody may see of a user."""

from uuid import UUID

from sqlalchemy import bindparam, func, select

from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Rows, read
from src.users.models import User
from src.users.relationships.models import Follow, FollowCount
from src.users.relationships.reads import not_blocked
from src.users.schemas import UserProfile

_COUNTS = {
    "followers_count": func.coalesce(FollowCount.followers_count, 0),
    "following_count": func.coalesce(FollowCount.following_count, 0),
}
_FOLLOWING = (
    select(Follow.created_at)
    .where(Follow.follower_id == bindparam("viewer_id"), Follow.followed_id == User.id)
    .correlate(User)
    .scalar_subquery()
    .is_not(None)
)


def _active(rows: Rows, username: str) -> Rows:
    return (
        rows.select_from(User)
        .outerjoin(FollowCount, FollowCount.user_id == User.id)
        .where(User.username == username, User.is_active)
    )


@read(Shape.of(UserProfile, User, **_COUNTS))
def _profile(rows: Rows, username: str) -> Rows:
    return _active(rows, username)


@read(Shape.of(UserProfile, User, **_COUNTS, following=_FOLLOWING))
def _viewed_profile(rows: Rows, username: str, viewer_id: UUID) -> Rows:
    return _active(rows, username).where(not_blocked(User.id, viewer_id))


async def read_profile(reads: Pool, username: str, viewer_id: UUID | None) -> Document:
    """The public profile of an active user, as the viewer sees it.

    Raises:
        NotFoundError: there is none, or one of the two has blocked the other.
    """
    name = username.lower()
    if viewer_id is None:
        return await _profile.one(reads, username=name)
    return await _viewed_profile.one(reads, username=name, viewer_id=viewer_id)
