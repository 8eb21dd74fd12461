"""Asking for the password again, before something grave."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select

from src.auth.exceptions import WrongPasswordError
from src.auth.flows import Flow
from src.auth.guessing.backoff import Guesser
from src.sql.statements import Query
from src.users.locking import lock_user
from src.users.models import User


@Query
def _hash_of_active(user_id: UUID) -> Select[str]:
    return select(User.password_hash).where(User.id == user_id, User.is_active)


class Reauthentication(Flow):
    """Verifies the password of an account that is known already.

    It comes before everything else in the caller's transaction, which it may roll back.
    """

    async def require(self, user_id: UUID, session_id: UUID, current_password: str) -> User:
        """The signed-in user, locked, whose password this is; wrong ones count for the session.

        Raises:
            WrongPasswordError: it is not, or the user is not active any more.
            TooManyFailuresError: too many were wrong, whatever this one is.
        """
        return await self.prove(user_id, current_password, self._guessers(session_id))

    async def check(self, session_id: UUID) -> None:
        """Refuse early what `require` would refuse, before something costly is done for it.

        Raises:
            TooManyFailuresError: too many passwords given in this session were wrong.
        """
        await self._backoff.check(self._guessers(session_id))

    async def prove(
        self,
        user_id: UUID,
        password: str,
        guessers: Sequence[Guesser],
        *,
        taking: str | None = None,
    ) -> User:
        """The user, locked, whose password this is; wrong ones count for the guessers.

        The lock orders this against sign-ins and other changes of the password: until the
        transaction ends, the password stays what it was when it was verified. `taking` an address:
        see `lock_user`.

        Raises:
            WrongPasswordError: it is not, or there is no such active user.
            TooManyFailuresError: too many were wrong, whatever this one is.
        """
        while True:
            await self._backoff.check(guessers)
            found = await _hash_of_active.first(self._database.reads, user_id=user_id)
            known_hash = found[0] if found else None
            right, _ = await self._hasher.verify(password, known_hash)
            if not right:
                await self._count_failure(user_id, guessers)
                raise WrongPasswordError
            # The whole row: a change of its address, which is a key, could wait for another lock.
            user = await lock_user(self._session, user_id, taking=taking)
            if user and user.is_active and user.password_hash == known_hash:
                await self._backoff.succeeded(self._session, guessers)
                return user
            await self._session.rollback()  # changed meanwhile: does it still fit?

    def _guessers(self, session_id: UUID) -> list[Guesser]:
        return [Guesser(f"session:{session_id}", self._settings.failures_per_pair)]

    async def _count_failure(self, user_id: UUID, guessers: Sequence[Guesser]) -> None:
        async with self._database.independent_transaction() as session:
            await self._backoff.failed(session, guessers)
            await self._events.record(session, "reauthentication.failed", user_id)
