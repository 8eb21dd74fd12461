"""Sessions: signing in, refreshing, signing out (RFC 6749; RFC 9700, section 4.14 on rotation)."""

import logging
import secrets
from datetime import datetime
from uuid import UUID

from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from src.auth.exceptions import EmailNotConfirmedError, InvalidGrantError, InvalidScopeError
from src.auth.hashing import PasswordHasher
from src.auth.jwt import AccessTokens, Claims
from src.auth.models import Session
from src.auth.opaque_tokens import OpaqueTokens, parse
from src.auth.schemas import TokenRead
from src.clock import Clock
from src.config import Settings
from src.database import Database
from src.ids import uuid7
from src.security import SCOPES, Principal
from src.shapes import Document, Shape
from src.statements import Read
from src.users.emails import normalize_email
from src.users.models import User

logger = logging.getLogger(__name__)

CLIENT_ID = "plaza"  # every sign-in without a registered client
ALL_SCOPES = " ".join(SCOPES)

_user_to_sign_in = Read(
    Shape(
        {
            "id": User.id,
            "password_hash": User.password_hash,
            "is_active": User.is_active,
            "confirmed": User.email_verified_at.is_not(None),
        }
    ),
    lambda rows: rows.where(
        or_(User.email == bindparam("email"), User.username == bindparam("username"))
    ),
)


class SessionService:
    """Issues token pairs and ends sessions, in the caller's transaction."""

    def __init__(
        self,
        session: AsyncSession,
        database: Database,
        hasher: PasswordHasher,
        access_tokens: AccessTokens,
        refresh_tokens: OpaqueTokens,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._session = session
        self._database = database
        self._hasher = hasher
        self._access_tokens = access_tokens
        self._refresh_tokens = refresh_tokens
        self._settings = settings
        self._clock = clock

    async def sign_in(self, login: str, password: str, scope: str | None) -> TokenRead:
        """A new session for an e-mail address or username and its password.

        Raises:
            InvalidScopeError: an unknown scope.
            InvalidGrantError: unknown user, wrong password or disabled user, all alike.
            EmailNotConfirmedError: the password is right, the address not confirmed.
        """
        granted = narrow_scope(scope, ALL_SCOPES)
        user = await self._find_user(login)
        right, new_hash = await self._hasher.verify(
            password, user["password_hash"] if user else None
        )
        if user is None or not right or not user["is_active"]:
            raise InvalidGrantError
        if self._settings.require_confirmed_email and not user["confirmed"]:
            raise EmailNotConfirmedError
        # The lock orders this against a change of the password, which ends the sessions it finds.
        user_id = UUID(user["id"])
        stored = await self._session.scalar(
            select(User.password_hash)
            .where(User.id == user_id, User.is_active)
            .with_for_update(key_share=True)
        )
        if stored is None:
            raise InvalidGrantError
        if stored != user["password_hash"]:  # changed or upgraded meanwhile: does it still fit?
            await self._session.rollback()
            return await self.sign_in(login, password, scope)
        if new_hash:
            await self._session.execute(
                update(User).where(User.id == user_id).values(password_hash=new_hash)
            )
        now = self._clock.now()
        session = Session(
            id=uuid7(),
            user_id=user_id,
            scope=granted,
            refresh_salt=secrets.token_bytes(16),
            refresh_generation=0,
            created_at=now,
            refreshed_at=now,
            idle_expires_at=now + self._settings.session_idle_lifetime,
            expires_at=now + self._settings.session_absolute_lifetime,
        )
        self._session.add(session)
        await self._session.flush()
        return self._token_pair(session, granted, now)

    async def refresh(self, refresh_token: str, scope: str | None) -> TokenRead:
        """A new token pair; the refresh token used is spent.

        The direct parent of the newest token gets the same successor again for a short grace, so
        that parallel refreshes and lost answers do no harm. Any older token ends the session.

        Raises:
            InvalidGrantError: the token is unknown, spent or expired, or its session or user ended.
            InvalidScopeError: a scope that the session was not granted.
        """
        token = parse(refresh_token)
        if token is None:
            raise InvalidGrantError
        now = self._clock.now()
        session = await self._session.get(Session, token.row_id)
        if session is None or not self._refresh_tokens.verify(token, session.refresh_salt):
            raise InvalidGrantError
        granted = narrow_scope(scope, session.scope)
        rotated = await self._session.scalar(
            update(Session)
            .where(
                Session.id == session.id,
                Session.refresh_generation == token.counter,
                *_alive(now),
            )
            .values(
                refresh_generation=Session.refresh_generation + 1,
                refreshed_at=now,
                idle_expires_at=now + self._settings.session_idle_lifetime,
            )
            .returning(Session)
            .execution_options(populate_existing=True)
        )
        if rotated is None:
            rotated = await self._successor_of(session.id, token.counter, now)
        return self._token_pair(rotated, granted, now)

    async def _successor_of(self, session_id: UUID, spent: int, now: datetime) -> Session:
        """The session, if the spent generation is the direct parent and in its grace.

        Raises:
            InvalidGrantError: it is not; a living session is ended for the reuse.
        """
        session = await self._session.scalar(
            select(Session)
            .where(Session.id == session_id, *_alive(now))
            .execution_options(populate_existing=True)
        )
        if session is None:
            raise InvalidGrantError
        in_grace = now - session.refreshed_at <= self._settings.refresh_grace
        if session.refresh_generation == spent + 1 and in_grace:
            return session
        await self._session.rollback()  # frees the connection that the next transaction may need
        async with self._database.independent_transaction() as transaction:
            await _end(transaction, now, "refresh_token_reused", Session.id == session_id)
        logger.warning("session %s ended: a spent refresh token was used again", session_id)
        raise InvalidGrantError

    async def sign_out(self, caller: Principal, which: str) -> None:
        """End this session, the user's others, or all of them."""
        now = self._clock.now()
        if which == "this":
            await _end(self._session, now, "signed_out", Session.id == caller.session_id)
        elif which == "others":
            others = (Session.user_id == caller.user_id, Session.id != caller.session_id)
            await _end(self._session, now, "signed_out", *others)
        else:
            await end_all(self._session, caller.user_id, "signed_out", now)

    async def _find_user(self, login: str) -> Document | None:
        email = username = None
        if "@" in login:
            try:
                email = normalize_email(login)
            except PydanticCustomError:
                return None
        else:
            username = login.strip().lower()
        return await _user_to_sign_in.first(self._database.reads, email=email, username=username)

    def _token_pair(self, session: Session, scope: str, now: datetime) -> TokenRead:
        issued_at = int(now.timestamp())
        lifetime = int(self._settings.access_token_lifetime.total_seconds())
        claims = Claims(
            iss=self._access_tokens.issuer,
            aud=self._access_tokens.issuer,
            sub=session.user_id,
            client_id=CLIENT_ID,
            iat=issued_at,
            exp=issued_at + lifetime,
            jti=uuid7(),
            sid=session.id,
            scope=scope,
            auth_time=int(session.created_at.timestamp()),
        )
        return TokenRead(
            access_token=self._access_tokens.issue(claims),
            expires_in=lifetime,
            refresh_token=self._refresh_tokens.issue(
                session.id, session.refresh_generation, session.refresh_salt
            ),
            scope=scope,
        )


def narrow_scope(requested: str | None, granted: str) -> str:
    """The requested part of what is granted, or all of it when nothing is asked for.

    Raises:
        InvalidScopeError: an unknown scope, or one that is not granted.
    """
    if not requested:
        return granted
    scopes = dict.fromkeys(requested.split())
    if not scopes or not set(granted.split()).issuperset(scopes):
        raise InvalidScopeError
    return " ".join(scopes)


async def end_all(session: AsyncSession, user_id: UUID, reason: str, now: datetime) -> None:
    """End every living session of a user."""
    await _end(session, now, reason, Session.user_id == user_id)


def _alive(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Session.ended_at.is_(None),
        Session.idle_expires_at > now,
        Session.expires_at > now,
        exists().where(User.id == Session.user_id, User.is_active),
    )


async def _end(
    session: AsyncSession, now: datetime, reason: str, *which: ColumnElement[bool]
) -> None:
    await session.execute(
        update(Session)
        .where(Session.ended_at.is_(None), *which)
        .values(ended_at=now, end_reason=reason)
    )
