"""Changing one's password, knowing the old one or by a mailed link."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, select

from src.access.principals import SessionPrincipal
from src.audit import log as audit
from src.auth.exceptions import InvalidLinkError
from src.auth.flows import Flow
from src.auth.guessing.backoff import password_guessers
from src.auth.guessing.throttles import require_few
from src.auth.models import EmailLink, Session
from src.auth.passwords import tasks
from src.auth.passwords.reauthentication import Reauthentication
from src.auth.passwords.rules import normalize_password
from src.auth.sessions.service import SessionService, end
from src.exceptions import InvalidInputError
from src.sql.statements import Query
from src.users.models import User
from src.users.usernames import named


@Query
def _account_of_live_link(link_id: UUID, now: datetime) -> Select[UUID, str]:
    return (
        select(User.id, User.email)
        .join(EmailLink, EmailLink.user_id == User.id)
        .where(EmailLink.id == link_id, EmailLink.purpose == "reset", EmailLink.expires_at > now)
    )


class PasswordService(Flow):
    """Changes of passwords, in the caller's transaction."""

    async def change(
        self, caller: SessionPrincipal, current_password: str, new_password: str
    ) -> None:
        """Set a new password; the user's other sessions end, and mailed links are dead.

        Raises:
            InvalidInputError: the new password is too weak, or the current one.
            WrongPasswordError: the current password is wrong.
            TooManyFailuresError: too many wrong passwords, whatever this one is.
        """
        if normalize_password(new_password) == normalize_password(current_password):
            raise InvalidInputError.at("body", "new_password", type="password_same")
        await self._tools.password_policy.require_good(
            new_password, caller.user["email"], "new_password"
        )
        reauthentication = Reauthentication(self._auth)
        await reauthentication.check(caller.session_id)
        # Before the transaction, which would hold a connection meanwhile.
        password_hash = await self._hasher.hash(new_password)
        user = await reauthentication.require(caller.user_id, caller.session_id, current_password)
        now = self._clock.now()
        await self._set(user, password_hash, now)
        await end(
            self._session,
            now,
            "password_changed",
            Session.user_id == user.id,
            Session.id != caller.session_id,
        )
        await self._events.tell(self._session, "password.changed", user)

    async def forgot(self, name: str) -> None:
        """Mail a link that sets a new password, if the address or username is that of an account.

        Raises:
            TooManyRequestsError: asked too often, whether the name is known or not.
        """
        now = self._clock.now()
        async with self._database.independent_transaction() as session:
            most = self._settings.email_links_per_hour
            await require_few(session, f"forgot:{name}", most, now)
        # The rest is a job, so that a known name takes no longer than others.
        user_id = await self._session.scalar(select(User.id).where(named(name)))
        peer = self._events.peer  # whoever it was has not shown to be the user
        await audit.record(
            self._session, "password.reset_requested", at=now, peer=peer, user_id=user_id
        )
        await tasks.reset_link.enqueue(self._session, tasks.ResetLink(user_id=user_id))

    async def reset(self, token: str, new_password: str) -> None:
        """Set a new password by a mailed link; sessions and personal tokens end, links are dead.

        It opens no session, and a second factor stays what it was.

        Raises:
            InvalidLinkError: the link is malformed, used, replaced or expired.
            InvalidInputError: the new password is too weak; the link stays good.
        """
        now = self._clock.now()
        purpose, link_id = self._tools.links.read(token) or (None, None)
        if purpose != "reset" or link_id is None:
            raise InvalidLinkError
        account = await _account_of_live_link.first(self._database.reads, link_id=link_id, now=now)
        if account is None:
            raise InvalidLinkError
        user_id, email = account
        await self._tools.password_policy.require_good(new_password, email, "new_password")
        password_hash = await self._hasher.hash(new_password)
        user = await self._locked(user_id)
        used = await self._session.scalar(
            delete(EmailLink)
            .where(EmailLink.id == link_id, EmailLink.expires_at > now)
            .returning(EmailLink.id)
        )
        if user is None or used is None:
            raise InvalidLinkError
        await self._set(user, password_hash, now)
        await SessionService(self._auth).revoke_access(user.id, "password_reset")
        # Whoever was kept out by wrong guesses, of anybody's, gets in with the new password,
        # by the address that the mail came to: both names together would tell that they are one's.
        guessers = password_guessers(user.email, self._events.peer.network, self._settings)
        await self._backoff.clear(self._session, guessers)
        await self._events.tell(self._session, "password.reset", user)

    async def _locked(self, user_id: UUID) -> User | None:
        """The user, who may still have a new password.

        The lock orders this against sign-ins, as in src.auth.sign_in.service.
        """
        return await self._session.scalar(
            select(User)
            .where(User.id == user_id, User.is_active, User.email_verified_at.is_not(None))
            .with_for_update()
        )

    async def _set(self, user: User, password_hash: str, now: datetime) -> None:
        """Set it, and stop what somebody who knew the old one may have begun."""
        user.password_hash = password_hash
        user.updated_at = now
        await self._session.flush()
        await self._session.execute(
            delete(EmailLink).where(EmailLink.user_id == user.id, EmailLink.purpose != "confirm")
        )
