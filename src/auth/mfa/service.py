"""The second factor: codes of an authenticator app (RFC 6238), and codes to recover without it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, update

from src.auth.exceptions import (
    InvalidMfaCodeError,
    MfaAlreadyEnabledError,
    MfaNotEnabledError,
    MfaNotEnrolledError,
    SecondFactorUnavailableError,
)
from src.auth.flows import Flow
from src.auth.guessing.backoff import Guesser
from src.auth.mfa.codes import (
    is_app_code,
    matching_step,
    new_recovery_codes,
    new_secret,
    normalize_code,
    otpauth_url,
    qr_svg,
    readable_secret,
)
from src.auth.models import RecoveryCode, Session, TotpFactor
from src.auth.sessions import service as sessions
from src.auth.tokens.opaque_tokens import secret_digest
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Rows, read
from src.users.models import User

logger = logging.getLogger(__name__)

MFA = Shape(
    {
        "totp_enabled": User.mfa_enabled,
        "confirmed_at": TotpFactor.confirmed_at,
        "recovery_codes_left": select(func.count())
        .where(RecoveryCode.user_id == User.id)
        .scalar_subquery(),
    }
)


@read(MFA)
def _state(rows: Rows, user_id: UUID) -> Rows:
    return (
        rows.select_from(User)
        .outerjoin(TotpFactor, TotpFactor.user_id == User.id)
        .where(User.id == user_id)
    )


async def read_state(reads: Pool, user_id: UUID) -> Document:
    """What a user has of a second factor.

    Raises:
        NotFoundError: the user is gone.
    """
    return await _state.one(reads, user_id=user_id)


class Enrolment(NamedTuple):
    """A secret to share with an authenticator app, in three ways."""

    secret: str
    otpauth_url: str
    qr_svg: str


class SecondFactor(Flow):
    """Enrols, verifies and removes a user's second factor, in the caller's transaction.

    A `User` that is passed in is locked: until the transaction ends, the factor stays what it is.
    """

    async def verify(self, user: User, code: str, *, known_device: bool = False) -> None:
        """Take a code of the app, which is spent by that, or a recovery code.

        Raises:
            InvalidMfaCodeError: it is wrong or spent; the transaction is rolled back.
            TooManyFailuresError: too many were wrong, whatever this one is.
            SecondFactorUnavailableError: codes of the app cannot be checked.
        """
        async with self._guess(user.id, known_device=known_device):
            code = normalize_code(code)
            if is_app_code(code):
                await self._spend_app_code(user.id, code)
            else:
                await self._spend_recovery_code(user, code)

    async def enrol(self, user: User) -> Enrolment:
        """A new secret, which replaces one that was never confirmed.

        Raises:
            MfaAlreadyEnabledError: there is a confirmed one.
        """
        if user.mfa_enabled:
            raise MfaAlreadyEnabledError
        secret = new_secret()
        await self._session.execute(delete(TotpFactor).where(TotpFactor.user_id == user.id))
        self._session.add(
            TotpFactor(
                user_id=user.id,
                encrypted_secret=self._tools.totp_box.seal(secret, user.id.bytes),
                last_step=0,
                created_at=self._clock.now(),
            )
        )
        await self._events.record(self._session, "mfa.enrolled", user.id)
        await self._session.flush()
        url = otpauth_url(secret, self._settings.mfa_issuer, user.email)
        return Enrolment(readable_secret(secret), url, qr_svg(url))

    async def confirm(self, user_id: UUID, session_id: UUID, code: str) -> list[str]:
        """Ask for the second factor from now on, since the app has shown a right code.

        The user's other sessions end, and no device is known: they were opened without it.

        Returns:
            The recovery codes.

        Raises:
            MfaAlreadyEnabledError: another request was first.
            MfaNotEnrolledError: there is no secret to confirm.
            InvalidMfaCodeError, TooManyFailuresError, SecondFactorUnavailableError: as `verify`.
        """
        user = await self._session.scalar(
            select(User).where(User.id == user_id).with_for_update(key_share=True)
        )
        if user and user.mfa_enabled:
            raise MfaAlreadyEnabledError
        factor = await self._session.get(TotpFactor, user_id)
        if user is None or factor is None:
            raise MfaNotEnrolledError
        async with self._guess(user_id):
            await self._spend_app_code(user_id, normalize_code(code))
        now = self._clock.now()
        factor.confirmed_at = user.updated_at = now
        user.mfa_enabled = True
        _forget_devices(user)
        codes = await self._new_recovery_codes(user_id)
        others = Session.user_id == user_id, Session.id != session_id
        await sessions.end(self._session, now, "mfa_enabled", *others)
        await self._events.tell(self._session, "mfa.enabled", user)
        return codes

    async def disable(self, user: User, code: str) -> None:
        """Forget the app and the recovery codes; signing in takes the password alone.

        Raises:
            MfaNotEnabledError: there is nothing to disable.
            InvalidMfaCodeError, TooManyFailuresError, SecondFactorUnavailableError: as `verify`.
        """
        if not user.mfa_enabled:
            raise MfaNotEnabledError
        await self.verify(user, code)
        await self.remove(user)

    async def remove(self, user: User, *, by: UUID | None = None) -> None:
        """Forget the app and the recovery codes without a code of theirs."""
        await self._session.execute(delete(TotpFactor).where(TotpFactor.user_id == user.id))
        await self._session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
        user.mfa_enabled = False
        user.updated_at = self._clock.now()
        _forget_devices(user)
        await self._events.tell(self._session, "mfa.disabled", user, by=by)

    async def replace_recovery_codes(self, user: User, code: str) -> list[str]:
        """New recovery codes; the old ones are dead.

        Raises:
            MfaNotEnabledError: there is nothing to recover.
            InvalidMfaCodeError, TooManyFailuresError, SecondFactorUnavailableError: as `verify`.
        """
        if not user.mfa_enabled:
            raise MfaNotEnabledError
        await self.verify(user, code)
        _forget_devices(user)
        await self._events.tell(self._session, "mfa.recovery_codes_replaced", user)
        return await self._new_recovery_codes(user.id)

    @asynccontextmanager
    async def _guess(self, user_id: UUID, *, known_device: bool = False) -> AsyncIterator[None]:
        """Around the check of one code: a wrong one is counted, a right one clears the count.

        All known devices count as one, so that nobody gains guesses by collecting them; apart from
        all others, so that the owner need not wait for who has the password alone.
        """
        subject = f"mfa-devices:{user_id}" if known_device else f"mfa:{user_id}"
        guesser = Guesser(subject, self._settings.failures_per_pair)
        await self._backoff.check([guesser])
        try:
            yield
        except InvalidMfaCodeError:
            # Frees the user's row, and the connection that the next transaction may wait for.
            await self._session.rollback()
            async with self._database.independent_transaction() as session:
                await self._backoff.failed(session, [guesser])
                await self._events.record(session, "mfa.failed", user_id)
            raise
        await self._backoff.succeeded(self._session, [guesser])

    async def _spend_app_code(self, user_id: UUID, code: str) -> None:
        factor = await self._session.get(TotpFactor, user_id)
        if factor is None:
            raise InvalidMfaCodeError
        try:
            secret = self._tools.totp_box.open(factor.encrypted_secret, user_id.bytes)
        except ValueError as error:
            logger.error("the second factor of user %s %s", user_id, error)  # noqa: TRY400 - it says all
            raise SecondFactorUnavailableError from None
        step = matching_step(secret, code, self._clock.now())
        if step is None:
            raise InvalidMfaCodeError
        spent = await self._session.scalar(
            update(TotpFactor)
            .where(TotpFactor.user_id == user_id, TotpFactor.last_step < step)
            .values(last_step=step)
            .returning(TotpFactor.user_id)
        )
        if spent is None:
            raise InvalidMfaCodeError

    async def _spend_recovery_code(self, user: User, code: str) -> None:
        digest = _digest(user.id, code)
        spent = await self._session.scalar(
            delete(RecoveryCode)
            .where(RecoveryCode.user_id == user.id, RecoveryCode.code_hash == digest)
            .returning(RecoveryCode.user_id)
        )
        if spent is None:
            raise InvalidMfaCodeError
        await self._events.tell(self._session, "mfa.recovery_code_used", user)

    async def _new_recovery_codes(self, user_id: UUID) -> list[str]:
        codes = new_recovery_codes()
        await self._session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        self._session.add_all(
            RecoveryCode(user_id=user_id, code_hash=_digest(user_id, normalize_code(code)))
            for code in codes
        )
        await self._session.flush()
        return codes


def _forget_devices(user: User) -> None:
    """What is asked of a sign-in has changed: no device has shown that yet."""
    user.device_generation += 1


def _digest(user_id: UUID, code: str) -> bytes:
    """What is stored of a recovery code; under another user's id it fits nothing."""
    return secret_digest(f"{user_id} {code}")
