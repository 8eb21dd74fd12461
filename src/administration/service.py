"""What administrators do to accounts. Each change is in the audit log, and its owner is told."""

import secrets
from uuid import UUID

from sqlalchemy import delete, select

from src.access.permissions import ADMIN, scopes_of
from src.access.principals import InsufficientScopeError, InvalidTokenError
from src.administration.exceptions import EmailNotVerifiedError
from src.administration.schemas import ManagedUserUpdate
from src.auth.flows import Flow
from src.auth.mfa.service import SecondFactor
from src.auth.models import EmailLink, Session
from src.auth.passwords import tasks
from src.auth.security_events import Notice
from src.auth.sessions.service import SessionService, end
from src.exceptions import NotFoundError
from src.http.responses import IfMatch
from src.users.administrators import require_another_administrator
from src.users.models import User

MANAGE = "users:manage"


class AdministrationService(Flow):
    """Changes to users by one of those who manage them, in the caller's transaction.

    Every method raises NotFoundError when there is no such user, and what a token that allows too
    little gets when the administrator is none any more, but was one when the request came.
    """

    async def update(
        self, admin_id: UUID, user_id: UUID, changes: ManagedUserUpdate, if_match: IfMatch
    ) -> User:
        """Disable or enable a user, or set their roles. Disabling ends their sessions.

        Raises:
            PreconditionFailedError: the account has changed since the caller read it.
            LastAdministratorError: no other active administrator would be left.
            EmailNotVerifiedError: roles for somebody whose address is not confirmed.
        """
        given = changes.model_dump(exclude_unset=True)
        if given.get("is_active") is False or ADMIN not in given.get("roles", [ADMIN]):
            user = await self._session.get(User, user_id)
            if user:
                await require_another_administrator(self._session, user, by=admin_id)
        user = await self._locked(admin_id, user_id)
        if_match.check(user.version)
        before = {name: getattr(user, name) for name in given}
        if given.get("roles") and not user.email_verified:
            raise EmailNotVerifiedError
        for name, value in given.items():
            setattr(user, name, value)
        changed = [name for name in given if before[name] != given[name]]
        if not changed:
            return user
        user.updated_at = self._clock.now()
        await self._session.flush()
        if not user.is_active:
            await self._end_sessions(user, "disabled")
        for name in changed:
            notice: Notice = "roles.changed"
            if name == "is_active":
                notice = "account.enabled" if user.is_active else "account.disabled"
            await self._events.tell(
                self._session, notice, user, by=admin_id, before=before[name], after=given[name]
            )
        return user

    async def end_sessions(self, admin_id: UUID, user_id: UUID) -> None:
        """End every session of a user."""
        user = await self._locked(admin_id, user_id)
        if await self._end_sessions(user, "ended_by_administrator"):
            await self._events.tell(
                self._session, "sessions.ended_by_administrator", user, by=admin_id
            )

    async def force_password_reset(self, admin_id: UUID, user_id: UUID) -> None:
        """Make the password useless and mail a link to set another.

        The sessions end, personal access tokens and links mailed before are revoked.

        Raises:
            OverloadedError: too many passwords wait to be hashed.
        """
        # A hash like any other, so that nothing shows from outside; nobody knows its password.
        password_hash = await self._hasher.hash(secrets.token_urlsafe(32))
        user = await self._locked(admin_id, user_id)
        user.password_hash = password_hash
        user.updated_at = self._clock.now()
        await self._session.flush()
        await SessionService(self._auth).revoke_access(user_id, "password_reset_forced")
        await self._session.execute(
            delete(EmailLink).where(EmailLink.user_id == user_id, EmailLink.purpose != "confirm")
        )
        await self._events.tell(self._session, "password.reset_forced", user, by=admin_id)
        await tasks.reset_link.enqueue(self._session, tasks.ResetLink(user_id=user_id))

    async def remove_second_factor(self, admin_id: UUID, user_id: UUID) -> None:
        """Let somebody who lost their authenticator app and codes sign in by password alone."""
        user = await self._locked(admin_id, user_id)
        if user.mfa_enabled:
            await SecondFactor(self._auth).remove(user, by=admin_id)

    async def _locked(self, admin_id: UUID, user_id: UUID) -> User:
        """The user as of now; nobody signs in to the account until the transaction ends.

        The administrator is locked too, and looked at again: one who is removed while their request
        waits for locks must not undo that.
        """
        locked = await self._session.scalars(
            select(User)
            .where(User.id.in_([admin_id, user_id]))
            .order_by(User.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        users = {user.id: user for user in locked}
        admin = users.get(admin_id)
        if admin is None or not admin.is_active:
            raise InvalidTokenError
        if MANAGE not in scopes_of(admin.roles):
            raise InsufficientScopeError(MANAGE)
        user = users.get(user_id)
        if user is None:
            raise NotFoundError
        return user

    async def _end_sessions(self, user: User, reason: str) -> list[UUID]:
        return await end(self._session, self._clock.now(), reason, Session.user_id == user.id)
