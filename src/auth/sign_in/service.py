"""Signing in: from a password, and a second factor where there is one, to a session."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from pydantic_core import PydanticCustomError
from sqlalchemy import Select, func, or_, select, update

from src.access.permissions import SCOPES, scope_names, scopes_of
from src.audit import log as audit
from src.auth.clients.service import Client
from src.auth.clients.token_request import MFA_GRANT, TokenRequest
from src.auth.exceptions import (
    EmailNotConfirmedError,
    InvalidGrantError,
    InvalidScopeError,
    MfaRequiredError,
    UnsupportedGrantTypeError,
)
from src.auth.flows import Flow
from src.auth.guessing.backoff import Guesser, password_guessers
from src.auth.mfa.service import SecondFactor
from src.auth.models import Session
from src.auth.schemas import TokenRead
from src.auth.sessions.service import SessionService
from src.auth.sign_in.devices import DEVICE_LIFETIME
from src.auth.tokens.opaque_tokens import parse
from src.ids import uuid7
from src.sql.shapes import Document
from src.sql.statements import Query
from src.users.emails import normalize_email
from src.users.models import User
from src.users.service import ACCOUNT


@Query
def _user_to_sign_in(login: str) -> Select[UUID, str, int, bool]:
    return select(User.id, User.password_hash, User.device_generation, User.is_active).where(
        # No username has an @, and every address has one.
        or_(User.email == login, User.username == login)
    )


class SignedIn(NamedTuple):
    """The tokens, and what shows next time that this device has signed in before.

    `account` is the user's own document, if the scopes allow to read it.
    """

    tokens: TokenRead
    device_token: str
    account: Document | None


class SignInService(Flow):
    """Opens sessions, in the caller's transaction."""

    async def with_form(
        self, form: TokenRequest, client: Client, device_tokens: Sequence[str]
    ) -> SignedIn:
        """A new session for the grant of a form: a password, or a second factor after it.

        Raises:
            UnsupportedGrantTypeError: it is neither.
            InvalidTokenRequestError: a parameter is missing.
            AppError: as `with_password` and `with_second_factor`.
        """
        code = form.parameters.get("code")
        if form.grant_type == "password":
            login, password = form.required("username"), form.required("password")
            return await self.with_password(
                login, password, form.scope, client, device_tokens, code
            )
        if form.grant_type == MFA_GRANT:
            mfa_token, code = form.required("mfa_token"), form.required("code")
            return await self.with_second_factor(mfa_token, code, form.scope, client, device_tokens)
        raise UnsupportedGrantTypeError

    async def with_password(
        self,
        login: str,
        password: str,
        scope: str | None,
        client: Client,
        device_tokens: Sequence[str],
        code: str | None = None,
    ) -> SignedIn:
        """A new session for an e-mail address or username and its password.

        Whoever has a second factor may send its `code` at once.

        Raises:
            InvalidScopeError: an unknown scope, or none that the user or the client may have.
            InvalidGrantError: unknown user, wrong password or disabled user, all alike.
            EmailNotConfirmedError: the password is right, the address not confirmed.
            MfaRequiredError: the password is right, and the user has a second factor.
            InvalidMfaCodeError: the password is right, the code wrong or spent.
            SecondFactorUnavailableError: the password is right, the code cannot be checked.
            TooManyFailuresError: too many wrong passwords or codes, whatever these are.
        """
        _require_known(scope)
        login = _normalize(login)
        user, device_id = await self._with_right_password(login, password, device_tokens)
        if self._settings.require_confirmed_email and not user.email_verified:
            raise EmailNotConfirmedError
        granted = _granted(scope, user, client)
        if user.mfa_enabled:
            if code is None:
                raise self._mfa_required(user, login)
            await SecondFactor(self._auth).verify(user, code, known_device=device_id is not None)
        return await self._open(user, granted, client, device_id)

    async def with_second_factor(
        self,
        mfa_token: str,
        code: str,
        scope: str | None,
        client: Client,
        device_tokens: Sequence[str],
    ) -> SignedIn:
        """A new session for the token of `MfaRequiredError` and a code of the app, or to recover.

        Raises:
            InvalidScopeError: as for the password.
            InvalidGrantError: the token is not ours or has expired, or the password was changed,
                the user disabled or the second factor removed meanwhile.
            InvalidMfaCodeError: the code is wrong or spent.
            SecondFactorUnavailableError: the code cannot be checked.
            TooManyFailuresError: too many wrong codes, whatever this one is.
        """
        _require_known(scope)
        token = parse(mfa_token)
        if token is None or token.counter <= self._clock.now().timestamp():
            raise InvalidGrantError
        user = await self._locked(token.row_id)
        names = user.email, user.username
        login = next(
            (name for name in names if self._tools.mfa_tokens.verify(token, _mfa_salt(user, name))),
            None,
        )
        if login is None or not user.mfa_enabled:
            raise InvalidGrantError
        granted = _granted(scope, user, client)
        device_id = self._known_device(device_tokens, _salt_of(user))
        await SecondFactor(self._auth).verify(user, code, known_device=device_id is not None)
        # The password was right when its turn came; wrong ones of others since then do not matter.
        await self._backoff.clear(self._session, self._guessers(login, device_id))
        return await self._open(user, granted, client, device_id)

    async def with_confirmation(
        self, user_id: UUID, client: Client, device_tokens: Sequence[str]
    ) -> SignedIn | None:
        """A new session for who has just confirmed an account with a proof that it is his.

        None for an account with a second factor: the proof is in place of the password alone.

        Raises:
            InvalidGrantError: the account is disabled.
            InvalidScopeError: the client may have no scope that the user has.
        """
        user = await self._locked(user_id)
        if user.mfa_enabled:
            return None
        device_id = self._known_device(device_tokens, _salt_of(user))
        return await self._open(user, _granted(None, user, client), client, device_id)

    async def _with_right_password(
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
                device_id = self._known_device(device_tokens, salt)
            guessers = self._guessers(login, device_id)
            await self._backoff.check(guessers)
            right, new_hash = await self._hasher.verify(password, known_hash)
            if not (user_id and known_hash and right and is_active):
                await self._count_failure(guessers, user_id)
                raise InvalidGrantError
            if new_hash:
                known_hash = await self._upgrade_hash(user_id, known_hash, new_hash)
            user = await self._locked(user_id)
            if (user.password_hash, user.device_generation) == (known_hash, generation):
                # Before anything tells that the password is right: other guesses may have been
                # faster. Undone by what is raised later: counts stay until both factors were right.
                await self._backoff.succeeded(self._session, guessers)
                return user, device_id
            await self._session.rollback()  # changed meanwhile: does it still fit?

    async def _open(
        self,
        user: User,
        scope: str,
        client: Client,
        device_id: UUID | None,
    ) -> SignedIn:
        now = self._clock.now()
        if user.last_sign_in_at and device_id is None and await self._is_new_place(user.id):
            await self._events.tell(self._session, "sign_in.new_device", user)
        await self._session.execute(
            update(User)
            .where(User.id == user.id)
            .values(last_sign_in_at=func.greatest(User.last_sign_in_at, now))
        )
        tokens = await SessionService(self._auth).open(user.id, scope, client)
        await self._events.record(self._session, "sign_in.succeeded", user.id, client_id=client.id)
        device_token = self._tools.device_tokens.issue(
            device_id or uuid7(),
            self._seconds_of_end(DEVICE_LIFETIME),
            _salt_of(user),
        )
        account = ACCOUNT.of_entity(user) if "profile:read" in scope.split() else None
        return SignedIn(tokens, device_token, account)

    async def _locked(self, user_id: UUID) -> User:
        """The active user.

        The lock orders this against a change of the password, which ends the sessions it finds.

        Raises:
            InvalidGrantError: there is none any more.
        """
        user = await self._session.scalar(
            select(User)
            .where(User.id == user_id, User.is_active)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if user is None:
            raise InvalidGrantError
        return user

    async def _count_failure(self, guessers: list[Guesser], user_id: UUID | None) -> None:
        async with self._database.independent_transaction() as session:
            await self._backoff.failed(session, guessers)
            peer = self._events.peer  # whoever it was, he has not shown to be the user
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

    async def _is_new_place(self, user_id: UUID) -> bool:
        """Whether no session that is still stored came from this address with this device."""
        peer = self._events.peer
        same = await self._session.scalar(
            select(Session.id)
            .where(
                Session.user_id == user_id,
                Session.address.is_not_distinct_from(peer.address),
                Session.device == peer.device,
            )
            .limit(1)
        )
        return same is None

    def _mfa_required(self, user: User, login: str) -> MfaRequiredError:
        lifetime = self._settings.mfa_challenge_lifetime
        end = self._seconds_of_end(lifetime)
        token = self._tools.mfa_tokens.issue(user.id, end, _mfa_salt(user, login))
        return MfaRequiredError(token, int(lifetime.total_seconds()))

    def _known_device(self, device_tokens: Sequence[str], salt: bytes) -> UUID | None:
        """The device, if one of its tokens is the account's."""
        now = self._clock.now().timestamp()
        for token in filter(None, map(parse, device_tokens)):
            if token.counter > now and self._tools.device_tokens.verify(token, salt):
                return token.row_id
        return None

    def _seconds_of_end(self, lifetime: timedelta) -> int:
        """When a token issued now expires, in seconds since 1970: its counter."""
        return int((self._clock.now() + lifetime).timestamp())

    def _guessers(self, account: str, device_id: UUID | None) -> list[Guesser]:
        """Who is counted for a wrong password (OWASP: device cookies)."""
        if device_id:
            return [Guesser(f"device:{device_id}", self._settings.failures_per_pair)]
        return password_guessers(account, self._events.peer.network, self._settings)


def _device_salt(user_id: UUID, password_hash: str, generation: int) -> bytes:
    """With another password or second factor, no device is known: a thief's is not, either."""
    return user_id.bytes + f"{generation} {password_hash}".encode()


def _salt_of(user: User) -> bytes:
    return _device_salt(user.id, user.password_hash, user.device_generation)


def _mfa_salt(user: User, login: str) -> bytes:
    """With another password, the token is void; it tells by which name the user signs in."""
    return f"{login} {user.password_hash}".encode()


def _normalize(login: str) -> str:
    """The address or username as it would be stored."""
    if "@" in login:
        with suppress(PydanticCustomError):
            return normalize_email(login, test_environment=True)
    return login.strip().lower()


def _require_known(scope: str | None) -> None:
    if scope and not SCOPES.keys() >= set(scope_names(scope)):
        raise InvalidScopeError


def _granted(scope: str | None, user: User, client: Client) -> str:
    """Of the scopes asked for, or of all, those that the user and the client may have.

    Raises:
        InvalidScopeError: there are none.
    """
    allowed = scopes_of(user.roles)
    if client.scopes is not None:
        allowed &= client.scopes
    asked = dict.fromkeys(scope_names(scope)) if scope else SCOPES
    granted = [name for name in asked if name in allowed]
    if not granted:
        raise InvalidScopeError
    return " ".join(granted)
