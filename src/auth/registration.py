"""Registering an address and confirming it.

The answer to a registration never says whether the address is known. Whoever confirms has to
receive the mail and to prove that the registration was his, so an account cannot be prepared by
somebody else for the owner of an address to confirm.
"""

import hashlib
import hmac
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from src.auth import sessions, tasks
from src.auth.exceptions import (
    ConfirmationProofRequiredError,
    InvalidLinkError,
    TooManyRequestsError,
)
from src.auth.hashing import PasswordHasher
from src.auth.models import EmailLink, Registration
from src.auth.opaque_tokens import OpaqueTokens, parse
from src.auth.passwords import normalize_password, weakness
from src.auth.schemas import EmailConfirm, RegistrationCreate
from src.auth.throttles import count_attempt
from src.clock import Clock
from src.config import Settings
from src.database import Database
from src.exceptions import InvalidInputError
from src.ids import uuid7
from src.reads import Read
from src.users.exceptions import UsernameTakenError
from src.users.models import User
from src.users.service import suggest_username

MAX_PENDING_REGISTRATIONS = 25
THROTTLE_WINDOW = timedelta(hours=1)

_live_link = Read(
    {"user_id": EmailLink.user_id},
    lambda rows: rows.where(
        EmailLink.id == bindparam("link_id"), EmailLink.expires_at > bindparam("now")
    ),
)
_registrations_of_user = Read(
    {
        "id": Registration.id,
        "secret_hash": Registration.secret_hash,
        "password_hash": Registration.password_hash,
    },
    lambda rows: rows.where(Registration.user_id == bindparam("user_id")).order_by(
        Registration.id.desc()
    ),
)
_user_with_username = Read(
    {"id": User.id}, lambda rows: rows.where(User.username == bindparam("username"))
)


class RegistrationService:
    """Registration and e-mail confirmation, in the caller's transaction."""

    def __init__(
        self,
        session: AsyncSession,
        database: Database,
        hasher: PasswordHasher,
        links: OpaqueTokens,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._session = session
        self._database = database
        self._hasher = hasher
        self._links = links
        self._settings = settings
        self._clock = clock

    async def register(self, data: RegistrationCreate, locale: str) -> str:
        """Register an address; its owner gets mail.

        Returns:
            The registration's secret. For the address of a confirmed account it opens nothing.

        Raises:
            InvalidInputError: the password is too weak.
            UsernameTakenError: somebody has the username, whatever the address.
        """
        if data.username:
            await self._require_free_username(data.username)
        if reason := weakness(normalize_password(data.password), data.email):
            raise InvalidInputError.at("body", "password", msg=reason, type="password_weak")
        secret = secrets.token_urlsafe(32)
        password_hash = await self._hasher.hash(data.password)
        now = self._clock.now()
        user_id, confirmed = await self._user_for(data, password_hash, locale, now)
        if not confirmed:
            self._session.add(
                Registration(
                    user_id=user_id,
                    secret_hash=_digest(secret),
                    password_hash=password_hash,
                    display_name=_display_name(data),
                    username=data.username,
                    locale=locale,
                    created_at=now,
                )
            )
            await self._session.flush()
            await self._forget_oldest_registrations(user_id)
        sent, _ = await count_attempt(self._session, f"register:{data.email}", THROTTLE_WINDOW, now)
        if sent <= self._settings.email_links_per_hour:
            if confirmed:
                payload = tasks.AlreadyRegistered(user_id=user_id)
                await tasks.already_registered.enqueue(self._session, payload)
            else:
                await self._send_link(user_id, locale, now)
        return secret

    async def resend(self, email: str, locale: str) -> None:
        """Mail a new link, which makes the older ones dead, if the address waits for one.

        Raises:
            TooManyRequestsError: asked too often, whether the address is known or not.
        """
        now = self._clock.now()
        async with self._database.independent_transaction() as session:
            sent, window_ends_at = await count_attempt(
                session, f"resend:{email}", THROTTLE_WINDOW, now
            )
        if sent > self._settings.email_links_per_hour:
            raise TooManyRequestsError(int((window_ends_at - now).total_seconds()) + 1)
        user = await self._session.scalar(select(User).where(User.email == email).with_for_update())
        if user is not None and not user.email_verified:
            await self._session.execute(delete(EmailLink).where(EmailLink.user_id == user.id))
            await self._send_link(user.id, locale, now)

    async def confirm(self, data: EmailConfirm) -> None:
        """Confirm the address; the account takes over the credentials of the proven registration.

        Raises:
            InvalidLinkError: the link is malformed, used, replaced or expired.
            ConfirmationProofRequiredError: neither secret nor password fits a registration.
        """
        now = self._clock.now()
        token = parse(data.token)
        if token is None or not self._links.verify(token):
            raise InvalidLinkError
        link = await _live_link.first(self._database.reads, link_id=token.row_id, now=now)
        if link is None:
            raise InvalidLinkError
        user_id = UUID(link["user_id"])
        registration_id = await self._proven_registration(user_id, data)
        user = await self._session.get(User, user_id, with_for_update=True)
        used = await self._session.scalar(
            delete(EmailLink)
            .where(EmailLink.id == token.row_id, EmailLink.expires_at > now)
            .returning(EmailLink.id)
        )
        registration = await self._session.get(Registration, registration_id)
        if user is None or used is None or registration is None:
            raise InvalidLinkError
        await self._activate(user, registration, now)

    async def _require_free_username(self, username: str) -> None:
        """A courtesy: whether it is still free at the confirmation is for the constraint to say."""
        if await _user_with_username.first(self._database.reads, username=username):
            raise UsernameTakenError

    async def _user_for(
        self, data: RegistrationCreate, password_hash: str, locale: str, now: datetime
    ) -> tuple[UUID, bool]:
        """The id of the account with that address, made if need be, and whether it is confirmed."""
        username = None if self._settings.require_confirmed_email else data.username
        created = await self._session.scalar(
            insert(User)
            .values(
                id=uuid7(),
                email=data.email,
                username=username or suggest_username(data.display_name, data.email),
                display_name=_display_name(data),
                locale=locale,
                password_hash=password_hash,
                created_at=now,
                updated_at=now,
                version=1,
            )
            .on_conflict_do_nothing(index_elements=[User.email])
            .returning(User.id)
        )
        if created is not None:
            return created, False
        user = await self._session.scalar(
            select(User).where(User.email == data.email).with_for_update()
        )
        if user is None:  # deleted between the two statements: the next attempt finds it free
            raise InvalidInputError("Try again")
        return user.id, user.email_verified

    async def _forget_oldest_registrations(self, user_id: UUID) -> None:
        newest = (
            select(Registration.id)
            .where(Registration.user_id == user_id)
            .order_by(Registration.id.desc())
            .limit(MAX_PENDING_REGISTRATIONS)
        )
        await self._session.execute(
            delete(Registration).where(
                Registration.user_id == user_id, Registration.id.not_in(newest)
            )
        )

    async def _send_link(self, user_id: UUID, locale: str, now: datetime) -> None:
        link = EmailLink(
            user_id=user_id,
            locale=locale,
            created_at=now,
            expires_at=now + self._settings.email_link_lifetime,
        )
        self._session.add(link)
        await self._session.flush()
        payload = tasks.ConfirmEmail(link_id=link.id)
        await tasks.confirm_email.enqueue(self._session, payload)

    async def _proven_registration(self, user_id: UUID, data: EmailConfirm) -> UUID:
        registrations = await _registrations_of_user.all(self._database.reads, user_id=user_id)
        if data.registration_secret:
            digest = _digest(data.registration_secret)
            for registration in registrations:
                if hmac.compare_digest(registration["secret_hash"], digest):
                    return UUID(registration["id"])
        if data.password:
            for registration in registrations:
                right, _ = await self._hasher.verify(data.password, registration["password_hash"])
                if right:
                    return UUID(registration["id"])
        raise ConfirmationProofRequiredError

    async def _activate(self, user: User, registration: Registration, now: datetime) -> None:
        if user.password_hash != registration.password_hash:
            await sessions.end_all(self._session, user.id, "confirmed_by_another", now)
        user.password_hash = registration.password_hash
        user.display_name = registration.display_name
        user.locale = registration.locale
        user.email_verified_at = user.updated_at = now
        await self._session.execute(delete(Registration).where(Registration.user_id == user.id))
        await self._session.execute(delete(EmailLink).where(EmailLink.user_id == user.id))
        if registration.username:
            # Taken in the meantime: the suggested one stays, and can be changed.
            with suppress(IntegrityError):
                async with self._session.begin_nested():
                    user.username = registration.username


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _display_name(data: RegistrationCreate) -> str:
    return data.display_name or data.email.partition("@")[0][:80]
