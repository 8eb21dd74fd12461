"""From a bearer token to the caller: a remembered signature, one statement, no cached user."""

from collections import OrderedDict
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from src.access.permissions import OWN_SCOPES, scopes_of
from src.access.principals import InvalidTokenError, Principal
from src.auth.models import Session
from src.auth.tokens.access_tokens import AccessTokens
from src.clock import Clock
from src.database import Database
from src.sql.statements import Rows, read
from src.users.models import User
from src.users.service import ACCOUNT

MAX_REMEMBERED_TOKENS = 10_000


@read(ACCOUNT)
def _user_of_living_session(rows: Rows, session_id: UUID, now: datetime) -> Rows:
    return rows.join(Session, Session.user_id == User.id).where(
        # Whose it is, is compared afterwards: by a condition on the user, PostgreSQL may go through
        # all their sessions instead of looking up one.
        Session.id == session_id,
        Session.ended_at.is_(None),
        Session.idle_expires_at > now,
        Session.expires_at > now,
        User.is_active,
    )


class _TokenOf(NamedTuple):
    """What a verified token says, and which key signed it."""

    user_id: UUID
    session_id: UUID
    scopes: frozenset[str]
    needs_role: bool
    expires_at: datetime
    kid: str


class SessionAuthenticator:
    """Implements `src.access.principals.Authenticator` with access tokens and sessions.

    A verified token is remembered until it or its key ends, since its signature cannot change.
    Whether its session lives and its user is active is asked at every request, so a revocation
    holds at once.
    """

    def __init__(self, tokens: AccessTokens, database: Database, clock: Clock) -> None:
        self._tokens = tokens
        self._database = database
        self._clock = clock
        self._remembered: OrderedDict[str, _TokenOf] = OrderedDict()

    async def authenticate(self, token: str) -> Principal:
        """The caller of a living session.

        Raises:
            InvalidTokenError: the token is not ours, has ended, or its session or user has.
        """
        now = self._clock.now()
        token_of = await self._verified(token, now)
        user = await _user_of_living_session.first(
            self._database.reads,
            session_id=token_of.session_id,
            now=now,
        )
        if user is None or user["id"] != token_of.user_id:
            raise InvalidTokenError
        scopes = token_of.scopes
        if token_of.needs_role:  # a role may have been taken since, or a scope be no more
            scopes &= scopes_of(user["roles"])
        return Principal(token_of.user_id, token_of.session_id, scopes, user)

    async def _verified(self, token: str, now: datetime) -> _TokenOf:
        known = self._remembered.get(token)
        if known is not None:
            keys = await self._tokens.keys.current(now)
            if known.expires_at > now and known.kid in keys.by_kid:
                return known
            self._remembered.pop(token, None)
        verified = await self._tokens.verify(token, now)
        if verified is None:
            raise InvalidTokenError
        claims = verified.claims
        scopes = frozenset(claims.scope.split())
        known = self._remembered[token] = _TokenOf(
            claims.sub,
            claims.sid,
            scopes,
            not scopes <= OWN_SCOPES.keys(),
            datetime.fromtimestamp(claims.exp, UTC),
            verified.kid,
        )
        if len(self._remembered) > MAX_REMEMBERED_TOKENS:
            self._remembered.popitem(last=False)
        return known
