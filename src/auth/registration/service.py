"""Registering an address. No answer says whether it is known."""

import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from src.auth import tasks
from src.auth.flows import Flow
from src.auth.guessing.throttles import count_attempt, require_few
from src.auth.models import Registration
from src.auth.registration.schemas import RegistrationCreate
from src.auth.tokens.opaque_tokens import secret_digest
from src.exceptions import ConflictError
from src.ids import uuid7
from src.users.exceptions import UsernameReservedError, UsernameTakenError
from src.users.models import User
from src.users.service import suggest_username
from src.users.usernames import named, obstacle, require_not_held

MAX_REGISTRATIONS = 1000  # of one address, from when there are as many an hour
MAX_REPLACEMENTS = 10  # of the account by a confirmation, between our INSERT and our SELECT


class RegistrationService(Flow):
    """Registration of addresses, in the caller's transaction."""

    async def register(self, data: RegistrationCreate, locale: str) -> str:
        """Register an address; its owner gets mail.

        Returns:
            The registration's secret. For the address of a confirmed account it opens nothing.

        Raises:
            InvalidInputError: the password is too weak.
            UsernameReservedError: nobody gets that username, whatever the address.
            UsernameTakenError: somebody has it, or gave it up a while ago, whatever the address.
        """
        if data.username:
            await self._require_free_username(data.username)
        await self._tools.password_policy.require_good(data.password, data.email, "password")
        secret = secrets.token_urlsafe(32)
        password_hash = await self._hasher.hash_for(data.email, data.password)
        now = self._clock.now()
        suggested = suggest_username(data.display_name)
        username = data.username or suggested
        display_name = data.display_name or username
        # A name that was asked for is reserved by a confirmation, not by a registration.
        first_username = suggested if self._settings.require_confirmed_email else username
        user_id, opened, confirmed = await self._create_or_lock_user(
            data.email, first_username, display_name, password_hash, locale, now
        )
        if opened and first_username == data.username:
            await require_not_held(self._session, first_username, user_id, now)
        count, _ = await count_attempt(self._session, f"register:{data.email}", now)
        if not confirmed:
            registration = Registration(
                user_id=user_id,
                opened_account=opened,
                secret_hash=secret_digest(secret),
                password_hash=password_hash,
                display_name=display_name,
                # An account that needs no confirmation has it from the start, and may change it.
                username=None
                if opened and not self._settings.require_confirmed_email
                else username,
                locale=locale,
                created_at=now,
            )
            await self._session.insert(registration)
            if count > MAX_REGISTRATIONS:
                await self._forget_oldest_registrations(user_id)
        if count <= self._settings.email_links_per_hour:
            if confirmed:
                payload = tasks.AlreadyRegistered(user_id=user_id)
                await tasks.already_registered.enqueue(self._session, payload)
            else:
                await tasks.send_link(self._session, self._settings, user_id, locale, now)
        return secret

    async def resend(self, name: str, locale: str) -> None:
        """Mail a new link, which makes the older ones dead, if the account waits for one.

        The name is an address or a username. An account that is confirmed is told so.

        Raises:
            TooManyRequestsError: asked too often, whether the name is known or not.
        """
        now = self._clock.now()
        async with self._database.independent_transaction() as session:
            most = self._settings.email_links_per_hour
            await require_few(session, f"resend:{name}", most, now)
        # The rest is a job, so that an account which waits for a link takes no longer than others.
        user_id = await self._session.scalar(select(User.id).where(named(name)))
        payload = tasks.ReplaceLinks(user_id=user_id, locale=locale)
        await tasks.replace_links.enqueue(self._session, payload)

    async def _require_free_username(self, username: str) -> None:
        """A courtesy: whether it is still free at the confirmation is for the constraint to say."""
        more_reserved = self._settings.reserved_usernames
        match await obstacle(self._database.reads, username, more_reserved, self._clock.now()):
            case "reserved":
                raise UsernameReservedError
            case "taken":
                raise UsernameTakenError

    async def _create_or_lock_user(
        self,
        email: str,
        username: str,
        display_name: str,
        password_hash: str,
        locale: str,
        now: datetime,
    ) -> tuple[UUID, bool, bool]:
        """The account with that address: its id, whether it is new, whether it is confirmed."""
        create = (
            insert(User)
            .values(
                id=uuid7(),
                email=email,
                username=username,
                display_name=display_name,
                locale=locale,
                password_hash=password_hash,
                created_at=now,
                updated_at=now,
                version=1,
            )
            .on_conflict_do_nothing(index_elements=[User.email])
            .returning(User.id)
        )
        find = select(User).where(User.email == email).with_for_update()
        for _ in range(MAX_REPLACEMENTS):
            if created_id := await self._session.scalar(create):
                return created_id, True, False
            if user := await self._session.scalar(find):
                return user.id, False, user.email_verified
        raise ConflictError("Two requests collided: try again")

    async def _forget_oldest_registrations(self, user_id: UUID) -> None:
        newest = (
            select(Registration.id)
            .where(Registration.user_id == user_id)
            .order_by(Registration.id.desc())
            .limit(MAX_REGISTRATIONS)
        )
        await self._session.execute(
            delete(Registration).where(
                Registration.user_id == user_id,
                Registration.opened_account.is_(False),
                Registration.id.not_in(newest),
            )
        )
