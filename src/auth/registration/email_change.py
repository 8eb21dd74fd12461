"""Changing the address of an account.

It switches when whoever receives mail at the new address follows the link and proves to be the
account's owner: somebody who gets the link of a mistyped address cannot make the account theirs.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Select, delete, select, update
from sqlalchemy.exc import IntegrityError

from src.access.principals import Principal, SessionPrincipal
from src.auth import tasks
from src.auth.exceptions import (
    ConfirmationProofRequiredError,
    EmailAlreadyConfirmedError,
    InvalidLinkError,
    WrongPasswordError,
)
from src.auth.flows import Flow
from src.auth.guessing.backoff import password_guessers
from src.auth.guessing.throttles import require_few
from src.auth.models import EmailLink, Registration
from src.auth.passwords.reauthentication import Reauthentication
from src.auth.registration.left_addresses import leave_address
from src.events import log as events
from src.exceptions import InvalidInputError
from src.sql.statements import Query
from src.users.locking import lock_user
from src.users.models import User

MAX_REGISTRATIONS_MEANWHILE = 3


class _Account(NamedTuple):
    """An account, and the address that it is to have."""

    user_id: UUID
    email: str
    new_email: str | None


@Query
def _account_of_link(
    link_id: UUID, now: datetime
) -> Select[UUID, str, str | None, datetime | None]:
    return (
        select(User.id, User.email, EmailLink.new_email, EmailLink.used_at)
        .join(EmailLink, EmailLink.user_id == User.id)
        .where(EmailLink.id == link_id, EmailLink.expires_at > now)
    )


class EmailChangeService(Flow):
    """Changes of address, in the caller's transaction."""

    async def request(
        self, caller: SessionPrincipal, new_email: str, current_password: str
    ) -> None:
        """Mail a link to the new address and tell the old one; older links of changes are dead.

        Whether somebody has the address already is found out by the job that mails the link.

        Raises:
            InvalidInputError: it is the address that the account has, or no mail can reach it.
            WrongPasswordError: the password is not the account's.
            TooManyFailuresError: too many wrong passwords, whatever this one is.
            TooManyRequestsError: asked too often, by this user or for this address.
        """
        if new_email == caller.user["email"]:
            raise InvalidInputError.at("body", "new_email", type="email_unchanged")
        user = await Reauthentication(self._auth).require(
            caller.user_id, caller.session_id, current_password
        )
        now = self._clock.now()
        for subject in (f"email-change:{user.id}", f"email-change-to:{new_email}"):
            await require_few(self._session, subject, self._settings.email_links_per_hour, now)
        await self._session.execute(
            delete(EmailLink).where(EmailLink.user_id == user.id, EmailLink.purpose == "change")
        )
        await tasks.send_link(
            self._session,
            self._settings,
            user.id,
            user.locale,
            now,
            purpose="change",
            new_email=new_email,
        )
        await self._events.tell(self._session, "email.change_requested", user)

    async def confirm(self, link_id: UUID, password: str | None, caller: Principal | None) -> None:
        """Switch to the new address. The proof is the password, or a session that may change it.

        Raises:
            EmailAlreadyConfirmedError: the link has been used.
            InvalidLinkError: it is replaced or expired, or another account has confirmed the
                address meanwhile.
            ConfirmationProofRequiredError: neither password nor caller is the account's.
            TooManyFailuresError: too many wrong passwords, whatever this one is.
        """
        now = self._clock.now()
        account = await self._account_of_link(link_id, now)
        user = await self._proven_user(account, password, caller)
        new_email = await self._session.scalar(
            update(EmailLink)
            .where(EmailLink.id == link_id, EmailLink.used_at.is_(None), EmailLink.expires_at > now)
            .values(used_at=now)
            .returning(EmailLink.new_email)
        )
        if new_email is None:
            await self._account_of_link(link_id, now)  # used meanwhile: say that instead
            raise InvalidLinkError
        await self._take_address(user.id, new_email, now)
        if not user.email_verified:
            await leave_address(self._session, user.id, account.email, now)
            await events.record(
                self._session, "user.registered", at=now, subject_id=user.id, actor_id=user.id
            )
        # With them, a registration of the old address could still claim this account.
        await self._session.execute(delete(Registration).where(Registration.user_id == user.id))
        await self._session.execute(
            delete(EmailLink).where(EmailLink.user_id == user.id, EmailLink.id != link_id)
        )
        await self._events.tell(self._session, "email.changed", user, also_to=new_email)

    async def _account_of_link(self, link_id: UUID, now: datetime) -> _Account:
        found = await _account_of_link.first(self._database.reads, link_id=link_id, now=now)
        if found is None:
            raise InvalidLinkError
        user_id, email, new_email, used_at = found
        if used_at:
            raise EmailAlreadyConfirmedError
        return _Account(user_id, email, new_email)

    async def _proven_user(
        self, account: _Account, password: str | None, caller: Principal | None
    ) -> User:
        """The user, locked; a wrong password counts like one of signing in with the address."""
        if (
            caller
            and caller.session_id
            and caller.user_id == account.user_id
            and "profile:write" in caller.scopes
        ):
            user = await lock_user(self._session, account.user_id, taking=account.new_email)
            if user is None:
                raise InvalidLinkError
            return user
        if password is None:
            raise ConfirmationProofRequiredError
        guessers = password_guessers(account.email, self._events.peer.network, self._settings)
        try:
            return await Reauthentication(self._auth).prove(
                account.user_id, password, guessers, taking=account.new_email
            )
        except WrongPasswordError:
            raise ConfirmationProofRequiredError from None

    async def _take_address(self, user_id: UUID, email: str, now: datetime) -> None:
        """Give the account the address, unless another has confirmed it."""
        switch = (
            update(User)
            .where(User.id == user_id)
            .values(
                email=email,
                email_verified_at=now,
                email_undeliverable_at=None,
                updated_at=now,
                version=User.version + 1,
            )
            .execution_options(synchronize_session=False)
        )
        # Whoever opened such an account has never shown that the address is theirs.
        never_confirmed = delete(User).where(
            User.email == email, User.email_verified_at.is_(None), User.id != user_id
        )
        for _ in range(MAX_REGISTRATIONS_MEANWHILE):
            await self._session.execute(never_confirmed)
            try:
                async with self._session.begin_nested():
                    await self._session.execute(switch)
            except IntegrityError:
                continue
            return
        raise InvalidLinkError
