"""Confirming an address.

Whoever confirms has to receive the mail and to prove that the registration was theirs, so an
account cannot be prepared by somebody else for the owner of an address to confirm.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, select, update
from sqlalchemy.exc import IntegrityError

from src.access.principals import Principal
from src.auth.exceptions import (
    ConfirmationProofRequiredError,
    EmailAlreadyConfirmedError,
    InvalidLinkError,
)
from src.auth.flows import Flow
from src.auth.guessing.backoff import Guesser
from src.auth.models import EmailLink, Registration
from src.auth.registration.email_change import EmailChangeService
from src.auth.registration.schemas import EmailConfirm
from src.auth.tokens.opaque_tokens import secret_digest
from src.events import log as events
from src.ids import uuid7
from src.sql.statements import Query
from src.users.exceptions import UsernameTakenError
from src.users.models import User
from src.users.service import suggest_username
from src.users.usernames import require_not_held


@Query
def _link(link_id: UUID, now: datetime) -> Select[UUID, datetime | None]:
    return select(EmailLink.user_id, EmailLink.used_at).where(
        EmailLink.id == link_id, EmailLink.purpose == "confirm", EmailLink.expires_at > now
    )


@Query
def _account(user_id: UUID) -> Select[str, str]:
    return select(User.email, User.password_hash).where(User.id == user_id)


@Query
def _registration_by_secret(user_id: UUID, secret_hash: bytes) -> Select[UUID]:
    return select(Registration.id).where(
        Registration.user_id == user_id, Registration.secret_hash == secret_hash
    )


@Query
def _other_registration_by_hash(user_id: UUID, password_hash: str) -> Select[UUID]:
    return (
        select(Registration.id)
        .where(
            Registration.user_id == user_id,
            Registration.opened_account.is_(False),
            Registration.password_hash == password_hash,
        )
        .order_by(Registration.id)
    )


class ConfirmationService(Flow):
    """E-mail confirmation, in the caller's transaction."""

    async def confirm(self, data: EmailConfirm, caller: Principal | None) -> UUID | None:
        """Confirm the address of a registration, or the new one of an account.

        Returns:
            The user of a registration; None after a change of address.

        Raises:
            EmailAlreadyConfirmedError: it is done already, with this link or another to it.
            InvalidLinkError: the link is malformed, replaced or expired, or the new address has
                been confirmed for another account.
            ConfirmationProofRequiredError: nothing fits a registration, or the account.
            TooManyFailuresError: too many wrong passwords, whatever this one is.
        """
        match self._tools.links.read(data.token):
            case "confirm", link_id:
                return await self._confirm_registration(link_id, data)
            case "change", link_id:
                await EmailChangeService(self._auth).confirm(link_id, data.password, caller)
                return None
            case _:
                raise InvalidLinkError

    async def _confirm_registration(self, link_id: UUID, data: EmailConfirm) -> UUID:
        """The account gets the credentials of the proven registration."""
        now = self._clock.now()
        user_id = await self._user_of_link(link_id, now)
        guessers = [Guesser(f"link:{link_id}", self._settings.failures_per_pair)]
        await self._backoff.check(guessers)
        try:
            registration_id = await self._proven_registration(user_id, data)
        except ConfirmationProofRequiredError:
            await self._user_of_link(link_id, now)  # used meanwhile: say that instead
            if data.password:
                async with self._database.independent_transaction() as session:
                    await self._backoff.failed(session, guessers)
            raise
        user = await self._session.get(User, user_id, with_for_update=True)
        used = await self._session.scalar(
            update(EmailLink)
            .where(EmailLink.id == link_id, EmailLink.used_at.is_(None), EmailLink.expires_at > now)
            .values(used_at=now)
            .returning(EmailLink.id)
        )
        if user is None or used is None:
            await self._user_of_link(link_id, now)  # used meanwhile: say that instead
            raise InvalidLinkError
        registration = await self._registration(user_id, registration_id)
        if registration_id is None or (registration and registration.opened_account):
            await self._confirm(user, registration, now)
            owner_id = user.id
        elif registration:
            owner_id = await self._start_over(user, registration, now)
        else:
            raise InvalidLinkError
        await events.record(
            self._session, "user.registered", at=now, subject_id=owner_id, actor_id=owner_id
        )
        return owner_id

    async def _user_of_link(self, link_id: UUID, now: datetime) -> UUID:
        link = await _link.first(self._database.reads, link_id=link_id, now=now)
        if link is None:
            raise InvalidLinkError
        user_id, used_at = link
        if used_at:
            raise EmailAlreadyConfirmedError
        return user_id

    async def _proven_registration(self, user_id: UUID, data: EmailConfirm) -> UUID | None:
        """The registration that the proof fits, or None when it is the account's own password.

        Raises:
            ConfirmationProofRequiredError: it fits nothing.
        """
        account = await _account.first(self._database.reads, user_id=user_id)
        if account is None:
            raise InvalidLinkError
        email, account_hash = account
        # Before the secret: that of a later registration would start the visitor's account over.
        if data.password:
            right, _ = await self._hasher.verify(data.password, account_hash)
            if right:
                return None
        if data.registration_secret:
            found = await _registration_by_secret.first(
                self._database.reads,
                user_id=user_id,
                secret_hash=secret_digest(data.registration_secret),
            )
            if found:
                return found[0]
        if data.password:
            # One hash, however many have registered the address.
            password_hash = await self._hasher.hash_for(email, data.password)
            found = await _other_registration_by_hash.first(
                self._database.reads, user_id=user_id, password_hash=password_hash
            )
            if found:
                return found[0]
        raise ConfirmationProofRequiredError

    async def _registration(
        self, user_id: UUID, registration_id: UUID | None
    ) -> Registration | None:
        """The proven registration; for the account's own password the one that opened it."""
        if registration_id is not None:
            return await self._session.get(Registration, registration_id)
        return await self._session.scalar(
            select(Registration).where(Registration.user_id == user_id, Registration.opened_account)
        )

    async def _confirm(self, user: User, registration: Registration | None, now: datetime) -> None:
        """The account is the visitor's own."""
        user.email_verified_at = user.updated_at = now
        user.email_undeliverable_at = None
        username = registration.username if registration else None
        await self._session.execute(delete(Registration).where(Registration.user_id == user.id))
        links = EmailLink.user_id == user.id, EmailLink.purpose == "confirm"
        await self._session.execute(
            update(EmailLink).where(*links, EmailLink.used_at.is_(None)).values(used_at=now)
        )
        await self._session.execute(
            delete(EmailLink).where(EmailLink.user_id == user.id, EmailLink.purpose != "confirm")
        )
        await self._take_username(user, username)

    async def _start_over(self, user: User, registration: Registration, now: datetime) -> UUID:
        """Somebody else opened the account: whatever it holds is not the owner's.

        Raises:
            InvalidLinkError: the account is disabled, which does not end by opening it anew.
        """
        if not user.is_active:
            raise InvalidLinkError
        owner = User(
            id=uuid7(),
            email=user.email,
            username=suggest_username(registration.display_name),
            display_name=registration.display_name,
            locale=registration.locale,
            password_hash=registration.password_hash,
            email_verified_at=now,
            created_at=now,
            updated_at=now,
        )
        username = registration.username
        links = await self._session.scalars(
            select(EmailLink).where(EmailLink.user_id == user.id, EmailLink.purpose == "confirm")
        )
        # They go with the account, and have still to say that the address is confirmed.
        used_links = [
            EmailLink(
                id=link.id,
                user_id=owner.id,
                locale=link.locale,
                created_at=link.created_at,
                expires_at=link.expires_at,
                used_at=now,
            )
            for link in links
        ]
        await self._session.execute(delete(User).where(User.id == user.id))
        self._session.expunge_all()
        await self._session.insert(owner)
        self._session.add_all(used_links)
        await self._take_username(owner, username)
        return owner.id

    async def _take_username(self, user: User, username: str | None) -> None:
        """Give the user the name they asked for; if somebody was faster, their profile says so."""
        if username and username != user.username:
            try:
                async with self._session.begin_nested():
                    user.username = username
                    await self._session.flush()
                    await require_not_held(self._session, username, user.id, self._clock.now())
            except (IntegrityError, UsernameTakenError):
                await self._session.refresh(user)
                user.requested_username = username
        await self._session.flush()
