"""Signing in: from a password, and a second factor where there is one, to a session."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, update

from src.auth.clients.service import Client
from src.auth.clients.token_request import MFA_GRANT, TokenRequest
from src.auth.exceptions import (
    EmailNotConfirmedError,
    InvalidGrantError,
    MfaRequiredError,
    UnsupportedGrantTypeError,
)
from src.auth.flows import Flow
from src.auth.mfa.service import SecondFactor
from src.auth.models import Session
from src.auth.schemas import TokenRead
from src.auth.sessions.service import SessionService
from src.auth.sign_in.devices import DEVICE_LIFETIME
from src.auth.sign_in.password import PasswordCheck, normalize_login, salt_of
from src.auth.sign_in.scopes import granted_scope, require_known
from src.auth.tokens.opaque_tokens import parse
from src.ids import uuid7
from src.sql.shapes import Document
from src.users.models import User
from src.users.service import ACCOUNT


class SignedIn(NamedTuple):
    """The tokens, and what shows next time that this device has signed in before.

    `account` is the user's own document, if the scopes allow to read it.
    """

    tokens: TokenRead
    device_token: str
    account: Document | None


class SignInService(Flow):
    """Opens sessions, in the caller's transaction."""

    @property
    def _passwords(self) -> PasswordCheck:
        return PasswordCheck(self._auth)

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
        require_known(scope)
        login = normalize_login(login)
        user, device_id = await self._passwords.verify(login, password, device_tokens)
        if self._settings.require_confirmed_email and not user.email_verified:
            raise EmailNotConfirmedError
        granted = granted_scope(scope, user, client)
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
        require_known(scope)
        token = parse(mfa_token)
        if token is None or token.counter <= self._clock.now().timestamp():
            raise InvalidGrantError
        user = await self._passwords.locked(token.row_id)
        names = user.email, user.username
        login = next(
            (name for name in names if self._tools.mfa_tokens.verify(token, _mfa_salt(user, name))),
            None,
        )
        if login is None or not user.mfa_enabled:
            raise InvalidGrantError
        granted = granted_scope(scope, user, client)
        device_id = self._passwords.known_device(device_tokens, salt_of(user))
        await SecondFactor(self._auth).verify(user, code, known_device=device_id is not None)
        # The password was right when its turn came; wrong ones of others since then do not matter.
        await self._backoff.clear(self._session, self._passwords.guessers(login, device_id))
        return await self._open(user, granted, client, device_id)

    async def with_confirmation(
        self, user_id: UUID, client: Client, device_tokens: Sequence[str]
    ) -> SignedIn | None:
        """A new session for who has just confirmed an account with a proof that it is theirs.

        None for an account with a second factor: the proof is in place of the password alone.

        Raises:
            InvalidGrantError: the account is disabled.
            InvalidScopeError: the client may have no scope that the user has.
        """
        user = await self._passwords.locked(user_id)
        if user.mfa_enabled:
            return None
        device_id = self._passwords.known_device(device_tokens, salt_of(user))
        return await self._open(user, granted_scope(None, user, client), client, device_id)

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
            salt_of(user),
        )
        account = ACCOUNT.of_entity(user) if "profile:read" in scope.split() else None
        return SignedIn(tokens, device_token, account)

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

    def _seconds_of_end(self, lifetime: timedelta) -> int:
        """When a token issued now expires, in seconds since 1970: its counter."""
        return int((self._clock.now() + lifetime).timestamp())


def _mfa_salt(user: User, login: str) -> bytes:
    """With another password, the token is void; it tells by which name the user signs in."""
    return f"{login} {user.password_hash}".encode()
