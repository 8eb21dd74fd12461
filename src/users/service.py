"""Rules and queries about users."""

import secrets
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncSession

from src.clock import Clock
from src.exceptions import NotFoundError
from src.pool import Pool
from src.responses import IfMatch
from src.shapes import Column, Constant, Document, Fields, Shape
from src.statements import Read
from src.text import ascii_words
from src.users.models import User
from src.users.schemas import UserUpdate

_COMMON: dict[str, Column | Constant | Fields] = {
    "id": User.id,
    "username": User.username,
    "display_name": User.display_name,
    "bio": User.bio,
    "avatar_url": None,
    "posts_count": User.posts_count,
    "created_at": User.created_at,
}
PROFILE = Shape(
    _COMMON
    | {
        # True while no feature lets one follow another; clients may rely on them.
        "followers_count": 0,
        "following_count": 0,
        "following": False,
    }
)
_ACCOUNT: dict[str, Column | Constant | Fields] = _COMMON | {
    "email": User.email,
    "email_verified": User.email_verified_at.is_not(None),
    "locale": User.locale,
    "roles": User.roles,
    "mfa_enabled": User.mfa_enabled,
    "version": User.version,
    "updated_at": User.updated_at,
}
ACCOUNT = Shape(_ACCOUNT)
MANAGED = Shape(_ACCOUNT | {"is_active": User.is_active, "last_sign_in_at": User.last_sign_in_at})

_profile_by_username = Read(
    PROFILE,
    lambda rows: rows.where(User.username == bindparam("username"), User.is_active),
)
_managed_by_id = Read(MANAGED, lambda rows: rows.where(User.id == bindparam("user_id")))


async def read_managed(reads: Pool, user_id: str) -> Document:
    """A user's account for those who manage users, whether it is active or not.

    Raises:
        NotFoundError: there is none.
    """
    user = await _managed_by_id.first(reads, user_id=user_id)
    if user is None:
        raise NotFoundError
    return user


async def read_profile(reads: Pool, username: str) -> Document:
    """The public profile of an active user.

    Raises:
        NotFoundError: there is none.
    """
    profile = await _profile_by_username.first(reads, username=username.lower())
    if profile is None:
        raise NotFoundError
    return profile


class UserService:
    """Changes to users, in the caller's transaction."""

    def __init__(self, session: AsyncSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    async def update(self, user_id: UUID, changes: UserUpdate, if_match: IfMatch) -> User:
        """Apply the given fields; absent ones stay as they are.

        Raises:
            NotFoundError: there is no such user.
            PreconditionFailedError: the account has changed since the caller read it.
            UsernameTakenError: by way of the unique constraint.
        """
        user = await self._session.get(User, user_id, with_for_update={"key_share": True})
        if user is None:
            raise NotFoundError
        if_match.check(user.version)
        for name, value in changes.model_dump(exclude_unset=True).items():
            setattr(user, name, value)
        if self._session.is_modified(user):
            user.updated_at = self._clock.now()
            await self._session.flush()
        return user


def suggest_username(display_name: str | None) -> str:
    """A username made from the name if there is one, with a random end so that it is free."""
    stem = "-".join(ascii_words(display_name or ""))[:20].rstrip("-") or "user"
    return f"{stem}-{secrets.token_hex(5)}"
