"""Sessions: opening, refreshing, ending (RFC 6749; RFC 9700, section 4.14 on rotation)."""

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select, update

from src.access.permissions import OWN_SCOPES, kept, scope_names, scopes_of
from src.access.principals import SessionPrincipal
from src.auth.clients.service import Client
from src.auth.exceptions import InvalidGrantError, InvalidScopeError
from src.auth.flows import Flow
from src.auth.models import Session
from src.auth.schemas import TokenRead
from src.auth.tokens.jwt import Claims
from src.auth.tokens.opaque_tokens import OpaqueTokens, ParsedToken, parse
from src.clock import elapsed
from src.exceptions import NotFoundError
from src.ids import uuid7
from src.sql.session import DatabaseSession
from src.users.models import User

logger = logging.getLogger(__name__)

MAX_EARLIER_REFRESHES = 20  # that are remembered; more within one grace are no tabs of a browser


class SessionService(Flow):
    """Issues token pairs and ends sessions, in the caller's transaction."""

    async def open(self, user_id: UUID, scope: str, client: Client) -> TokenRead:
        """The tokens of a new session of somebody who has proved to be the user."""
        now = self._clock.now()
        session = Session(
            id=uuid7(),
            user_id=user_id,
            client_id=client.id,
            scope=scope,
            address=self._events.peer.address,
            device=self._events.peer.device,
            refresh_salt=secrets.token_bytes(16),
            refresh_generation=0,
            created_at=now,
            refreshed_at=now,
            idle_expires_at=now + self._settings.session_idle_lifetime,
            expires_at=now + self._settings.session_absolute_lifetime,
        )
        await self._session.insert(session)
        return await self._token_pair(session, scope, now)

    async def refresh(self, refresh_token: str, scope: str | None, client: Client) -> TokenRead:
        """A new token pair; the refresh token used is spent.

        A spent token gets the newest one for a short grace, so that parallel refreshes and lost
        answers do no harm. After that it ends the session.

        Raises:
            InvalidGrantError: the token is unknown, spent, expired or another client's, or its
                session or user ended.
            InvalidScopeError: a scope that the session was not granted, or no role gives any more.
        """
        now = self._clock.now()
        token = parse(refresh_token)
        session = await session_of(self._session, self._tools.refresh_tokens, token)
        if token is None or session is None or session.client_id != client.id:
            raise InvalidGrantError
        refreshed_at = func.greatest(Session.refreshed_at, now)  # of processes whose clocks differ
        rotated = await self._session.scalar(
            update(Session)
            .where(
                Session.id == session.id,
                Session.refresh_generation == token.counter,
                *alive(now),
            )
            .values(
                refresh_generation=Session.refresh_generation + 1,
                earlier_refreshes=func.array_prepend(
                    Session.refreshed_at,
                    Session.earlier_refreshes,
                    type_=Session.earlier_refreshes.type,
                )[1:MAX_EARLIER_REFRESHES],
                refreshed_at=refreshed_at,
                idle_expires_at=refreshed_at + self._settings.session_idle_lifetime,
                address=self._events.peer.address,
                device=self._events.peer.device,
            )
            .returning(Session)
            .execution_options(populate_existing=True)
        )
        if rotated is None:
            rotated = await self._successor_of(session.id, token.counter, now)
        # Last, so that a spent token ends its session whatever is asked for.
        try:
            granted = narrow_scope(scope, await self._allowed_scope(rotated))
        except InvalidScopeError:
            await self._session.rollback()  # the token is not spent
            raise
        return await self._token_pair(rotated, granted, now)

    async def _allowed_scope(self, session: Session) -> str:
        """What the session was granted and the user's roles still give.

        We look at the roles at every request; others believe what the token says.
        """
        if OWN_SCOPES.keys() >= set(session.scope.split()):
            return session.scope
        roles = await self._session.scalar(select(User.roles).where(User.id == session.user_id))
        return kept(session.scope, scopes_of(roles or ()))

    async def _successor_of(self, session_id: UUID, spent: int, now: datetime) -> Session:
        """The session, if the spent generation may have the newest token all the same.

        Raises:
            InvalidGrantError: it is not; a living session is ended for the reuse.
        """
        session = await self._session.scalar(
            select(Session)
            .where(Session.id == session_id, *alive(now))
            .execution_options(populate_existing=True)
        )
        if session is None:
            raise InvalidGrantError
        age = session.refresh_generation - spent
        times = [session.refreshed_at, *session.earlier_refreshes]
        if gets_newest(age, times, now, self._settings.refresh_grace):
            return session
        user_id = session.user_id
        await self._session.rollback()  # frees the connection that the next transaction may need
        async with self._database.independent_transaction() as transaction:
            ended = await end(transaction, now, "refresh_token_reused", Session.id == session_id)
            if ended:
                user = await transaction.get_one(User, user_id)
                await self._events.tell(
                    transaction, "session.reuse_detected", user, session_id=str(session_id)
                )
        logger.warning("session %s ended: a spent refresh token was used again", session_id)
        raise InvalidGrantError

    async def sign_out(self, caller: SessionPrincipal, which: str) -> None:
        """End this session, the user's others, or all of them."""
        condition = {
            "this": Session.id == caller.session_id,
            "others": Session.id != caller.session_id,
            "all": Session.user_id == caller.user_id,
        }
        await self._sign_out(caller.user_id, condition[which])

    async def sign_out_of(self, caller: SessionPrincipal, session_id: UUID) -> None:
        """End one of the user's sessions.

        Raises:
            NotFoundError: there is no such living session of theirs.
        """
        living = and_(Session.id == session_id, *alive(self._clock.now()))
        if not await self._sign_out(caller.user_id, living):
            raise NotFoundError

    async def revoke_access(self, user_id: UUID, reason: str) -> None:
        """End every session of a user, and whatever else opens the account."""
        await end(self._session, self._clock.now(), reason, Session.user_id == user_id)
        for revoke in self._tools.revocations:
            await revoke(self._session, user_id)

    async def sign_out_with(self, refresh_token: str, client: Client) -> None:
        """End the session of a refresh token, spent or not; one that is not ours ends nothing."""
        token = parse(refresh_token)
        session = await session_of(self._session, self._tools.refresh_tokens, token)
        if session and session.client_id == client.id:
            await self._sign_out(session.user_id, Session.id == session.id)

    async def _sign_out(self, user_id: UUID, which: ColumnElement[bool]) -> list[UUID]:
        ended = await end(
            self._session, self._clock.now(), "signed_out", Session.user_id == user_id, which
        )
        for session_id in ended:
            await self._events.record(
                self._session, "session.signed_out", user_id, session_id=str(session_id)
            )
        return ended

    async def _token_pair(self, session: Session, scope: str, now: datetime) -> TokenRead:
        issued_at = int(now.timestamp())
        lifetime = int(self._settings.access_token_lifetime.total_seconds())
        claims = Claims(
            iss=self._tools.access_tokens.issuer,
            aud=self._tools.access_tokens.audience,
            sub=session.user_id,
            client_id=session.client_id,
            iat=issued_at,
            exp=issued_at + lifetime,
            jti=uuid7(),
            sid=session.id,
            scope=scope,
            auth_time=int(session.created_at.timestamp()),
        )
        return TokenRead(
            access_token=await self._tools.access_tokens.issue(claims, now),
            expires_in=lifetime,
            refresh_token=self._tools.refresh_tokens.issue(
                session.id, session.refresh_generation, session.refresh_salt
            ),
            scope=scope,
        )


def gets_newest(age: int, refreshes: Sequence[datetime], now: datetime, grace: timedelta) -> bool:
    """Whether a refresh token of so many refreshes ago may still have the newest one.

    `refreshes` are their times, the latest first. It may within the grace of its first use, in
    which all refreshes after it were made then.
    """
    return 0 < age <= len(refreshes) and elapsed(refreshes[age - 1], now) <= grace


def narrow_scope(requested: str | None, granted: str) -> str:
    """The requested part of what is granted, or all of it when nothing is asked for.

    Raises:
        InvalidScopeError: an unknown scope, or one that is not granted.
    """
    scopes = dict.fromkeys(scope_names(requested or granted))
    if not scopes or not set(granted.split()).issuperset(scopes):
        raise InvalidScopeError
    return " ".join(scopes)


async def session_of(
    session: DatabaseSession, refresh_tokens: OpaqueTokens, token: ParsedToken | None
) -> Session | None:
    """The session of a refresh token of ours, spent or not; it may have ended."""
    found = await session.get(Session, token.row_id) if token else None
    return found if token and found and refresh_tokens.verify(token, found.refresh_salt) else None


def alive(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """What holds for a session that can still be refreshed."""
    return (
        Session.ended_at.is_(None),
        Session.idle_expires_at > now,
        Session.expires_at > now,
        exists().where(User.id == Session.user_id, User.is_active),
    )


async def end(
    session: DatabaseSession, now: datetime, reason: str, *which: ColumnElement[bool]
) -> list[UUID]:
    """End the living sessions that the conditions choose; their ids."""
    living = select(Session.id).where(Session.ended_at.is_(None), *which)
    locked = await session.scalars(living.order_by(Session.id).with_for_update())  # no deadlock
    ended = list(locked)
    await session.execute(
        update(Session).where(Session.id.in_(ended)).values(ended_at=now, end_reason=reason)
    )
    return ended
