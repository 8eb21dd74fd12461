"""Rules and queries about users."""

import secrets
from uuid import UUID

from src.clock import Clock
from src.config import Settings
from src.events import log as events
from src.http.responses import IfMatch
from src.sql.pool import Pool
from src.sql.session import DatabaseSession
from src.sql.shapes import Document, Shape
from src.sql.statements import Rows, read
from src.users.exceptions import UsernameReservedError
from src.users.models import User
from src.users.schemas import ManagedUser, UserRead, UserUpdate
from src.users.usernames import hold, is_reserved, require_not_held
from src.validation.text import ascii_words

EMAIL_VERIFIED = User.email_verified_at.is_not(None)
ACCOUNT = Shape.of(UserRead, User, email_verified=EMAIL_VERIFIED)
MANAGED = Shape.of(ManagedUser, User, email_verified=EMAIL_VERIFIED)


@read(MANAGED)
def _managed_by_id(rows: Rows, user_id: UUID) -> Rows:
    return rows.where(User.id == user_id)


async def read_managed(reads: Pool, user_id: UUID) -> Document:
    """A user's account for those who manage users, whether it is active or not.

    Raises:
        NotFoundError: there is none.
    """
    return await _managed_by_id.one(reads, user_id=user_id)


class UserService:
    """Changes to users, in the caller's transaction."""

    def __init__(self, session: DatabaseSession, settings: Settings, clock: Clock) -> None:
        self._session = session
        self._settings = settings
        self._clock = clock

    async def update(self, user_id: UUID, changes: UserUpdate, if_match: IfMatch) -> User:
        """Apply the given fields; absent ones stay as they are.

        Raises:
            NotFoundError: there is no such user.
            PreconditionFailedError: the account has changed since the caller read it.
            UsernameReservedError: nobody gets that username.
            UsernameTakenError: somebody has it, or gave it up a while ago.
        """
        user = await self._session.locked(User, User.id == user_id)
        if_match.check(user.version)
        before = user.username
        if changes.username:
            reserved = is_reserved(changes.username, self._settings.reserved_usernames)
            if reserved and changes.username != before:
                raise UsernameReservedError
            user.requested_username = None
        now = self._clock.now()
        version = user.version
        # The constraint says whether somebody has the username.
        await self._session.change(user, changes, now)
        if user.username != before:
            await require_not_held(self._session, user.username, user.id, now)
            await hold(self._session, before, user.id, now)
        if user.version != version:
            changed = sorted(changes.model_fields_set)
            await events.record(
                self._session,
                "user.updated",
                at=now,
                subject_id=user.id,
                actor_id=user.id,
                changed=changed,
            )
        return user


def suggest_username(display_name: str | None) -> str:
    """A username made from the name if there is one, with a random end so that it is free."""
    stem = "-".join(ascii_words(display_name or ""))[:20].rstrip("-") or "user"
    return f"{stem}-{secrets.token_hex(5)}"
