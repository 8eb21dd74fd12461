"""Deleting one's account."""

from sqlalchemy import select

from src.access.permissions import ADMIN
from src.access.principals import SessionPrincipal
from src.auth.exceptions import WrongPasswordError
from src.auth.flows import Flow
from src.auth.passwords.reauthentication import Reauthentication
from src.auth.registration.left_addresses import leave_address
from src.events import log as events
from src.http.responses import IfMatch
from src.users.administrators import require_another_administrator
from src.users.models import User
from src.users.usernames import hold


class DeletionService(Flow):
    """Deletes accounts, in the caller's transaction."""

    async def delete(
        self, caller: SessionPrincipal, current_password: str, if_match: IfMatch
    ) -> None:
        """Delete the caller's account and all that belongs to it; the audit log keeps what it has.

        Nobody gets the username for a while.

        Raises:
            WrongPasswordError: that is not the password, or the user is not active any more.
            TooManyFailuresError: too many were wrong, whatever this one is.
            PreconditionFailedError: the account has changed since the caller read it.
            LastAdministratorError: no other active administrator is left.
        """
        user = await Reauthentication(self._auth).require(
            caller.user_id, caller.session_id, current_password
        )
        if ADMIN in user.roles:
            user = await self._lock_among_administrators(user)
        if_match.check(user.version)
        await self._events.tell(self._session, "account.deleted", user)
        now = self._clock.now()
        await events.record(
            self._session, "user.deleted", at=now, subject_id=user.id, actor_id=user.id
        )
        await hold(self._session, user.username, None, now)
        if not user.email_verified:
            email, user.email = user.email, f"{user.id}@deleted.invalid"
            await self._session.flush()
            await leave_address(self._session, user.id, email, now)
        await self._session.delete(user)
        await self._session.flush()

    async def _lock_among_administrators(self, user: User) -> User:
        """The administrator, locked again: of several, the one with the lowest id comes first.

        Raises:
            LastAdministratorError: there is no other.
            WrongPasswordError: the password was changed meanwhile, or the user disabled.
        """
        self._session.expunge(user)
        await self._session.rollback()
        await require_another_administrator(self._session, user)
        locked = await self._session.scalar(
            select(User)
            .where(User.id == user.id, User.is_active, User.password_hash == user.password_hash)
            .with_for_update()
        )
        if locked is None:
            raise WrongPasswordError
        return locked
