"""The password of a sign-in: whose it is, who is counted for a wrong one, and the known device."""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from pydantic_core import PydanticCustomError
from sqlalchemy import Select, or_, select, update

from src.audit import log as audit
from src.auth.exceptions import InvalidGrantError
from src.auth.flows import Flow
from src.auth.guessing.backoff import Guesser, password_guessers
from src.auth.tokens.opaque_tokens import parse
from src.exceptions import NotFoundError
from src.sql.statements import Query
from src.users.emails import normalize_email
from src.users.models import User


def normalize_login(login: str) -> str:
    """The address or username as it would be stored."""
    if "@" in login:
        with suppress(PydanticCustomError):
            return normalize_email(login, test_environment=True)
    return login.strip().lower()


@Query
def _user_to_sign_in(login: str) -> Select[UUID, str, int, bool]:
    return select(User.id, User.password_hash, User.device_generation, User.is_active).where(
        # No username has an @, and every address has one.
        or_(User.email == login, User.username == login)
    )


class PasswordCheck(Flow):
    """Finds the user of a login and a password, in the caller's transaction."""

    async def verify(
        self, login: str, password: str, device_tokens: Sequence[str]
    ) -> tuple[User, UUID | None]:
        """The active user, locked, whose password this is, and the known device that sent it.

        Raises:
            InvalidGrantError: there is none.
            TooManyFailuresError: too many wrong passwords, whatever this one is.
        """
        while True:
            found = await _user_to_sign_in.first(self._database.reads, login=login)
            user_id, known_hash, generation, is_active = found or (None, None, 0, False)
            device_id = None
            if user_id and known_hash:
                salt = _device_salt(user_id, known_hash, generation)
                device_id = self.known_device(device_tokens, salt)
            guessers = self.guessers(login, device_id)
            await self._backoff.check(guessers)
            right, new_hash = await self._hasher.verify(password, known_hash)
            if not (user_id and known_hash and right and is_active):
                await self._count_failure(guessers, user_id)
                raise InvalidGrantError
            if new_hash:
                known_hash = await self._upgrade_hash(user_id, known_hash, new_hash)
            user = await self.locked(user_id)
            if (user.password_hash, user.device_generation) == (known_hash, generation):
                # Before anything tells that the password is right: other guesses may have been
                # faster. Undone by what is raised later: counts stay until both factors were right.
                await self._backoff.succeeded(self._session, guessers)
                return user, device_id
            await self._session.rollback()  # changed meanwhile: does it still fit?

    async def locked(self, user_id: UUID) -> User:
        """The active user.

        The lock orders this against a change of the password, which ends the sessions it finds.

        Raises:
            InvalidGrantError: there is none any more.
        """
        try:
            return await self._session.locked(User, User.id == user_id, User.is_active)
        except NotFoundError:
            raise InvalidGrantError from None

    def known_device(self, device_tokens: Sequence[str], salt: bytes) -> UUID | None:
        """The device, if one of its tokens is the account's."""
        now = self._clock.now().timestamp()
        for token in filter(None, map(parse, device_tokens)):
            if token.counter > now and self._tools.device_tokens.verify(token, salt):
                return token.row_id
        return None

    def guessers(self, account: str, device_id: UUID | None) -> list[Guesser]:
        """Who is counted for a wrong password (OWASP: device cookies)."""
        if device_id:
            return [Guesser(f"device:{device_id}", self._settings.failures_per_pair)]
        return password_guessers(account, self._events.peer.network, self._settings)

    async def _count_failure(self, guessers: list[Guesser], user_id: UUID | None) -> None:
        async with self._database.independent_transaction() as session:
            await self._backoff.failed(session, guessers)
            peer = self._events.peer  # whoever it was has not shown to be the user
            await audit.record(
                session, "sign_in.failed", at=self._clock.now(), peer=peer, user_id=user_id
            )

    async def _upgrade_hash(self, user_id: UUID, old_hash: str, new_hash: str) -> str:
        """Replace an old hash at once: a second factor may be awaited before the rest is done."""
        async with self._database.independent_transaction() as session:
            upgraded = await session.scalar(
                update(User)
                .where(User.id == user_id, User.password_hash == old_hash)
                .values(password_hash=new_hash)
                .returning(User.id)
            )
        return new_hash if upgraded else old_hash


def _device_salt(user_id: UUID, password_hash: str, generation: int) -> bytes:
    """With another password or second factor, no device is known: a thief's is not, either."""
    return user_id.bytes + f"{generation} {password_hash}".encode()


def salt_of(user: User) -> bytes:
    """What the tokens of a user's known devices are bound to."""
    return _device_salt(user.id, user.password_hash, user.device_generation)
