"""From a bearer token to the caller: a remembered signature, one statement, no cached user."""

from collections import OrderedDict
from datetime import UTC, datetime

from sqlalchemy import bindparam

from src.auth.jwt import AccessTokens, Claims
from src.auth.models import Session
from src.clock import Clock
from src.database import Database
from src.reads import Read
from src.security import InvalidTokenError, Principal
from src.users.models import User
from src.users.service import ACCOUNT

MAX_REMEMBERED_TOKENS = 10_000

_user_of_living_session = Read(
    ACCOUNT,
    lambda rows: rows.join(Session, Session.user_id == User.id).where(
        Session.id == bindparam("session_id"),
        Session.user_id == bindparam("user_id"),
        Session.ended_at.is_(None),
        Session.expires_at > bindparam("now"),
        User.is_active,
    ),
)


class SessionAuthenticator:
    """Implements `src.security.Authenticator` with access tokens and sessions.

    A verified token is remembered until it expires, since its signature cannot change. Whether its
    session lives and its user is active is asked at every request, so a revocation holds at once.
    """

    def __init__(self, tokens: AccessTokens, database: Database, clock: Clock) -> None:
        self._tokens = tokens
        self._database = database
        self._clock = clock
        self._remembered: OrderedDict[str, tuple[Claims, frozenset[str]]] = OrderedDict()

    async def authenticate(self, token: str) -> Principal:
        """The caller of a living session.

        Raises:
            InvalidTokenError: the token is not ours, has ended, or its session or user has.
        """
        now = self._clock.now()
        claims, scopes = self._verified(token, now)
        user = await _user_of_living_session.first(
            self._database.reads, session_id=claims.sid, user_id=claims.sub, now=now
        )
        if user is None:
            raise InvalidTokenError
        authenticated_at = datetime.fromtimestamp(claims.auth_time, UTC)
        return Principal(claims.sub, claims.sid, scopes, authenticated_at, user)

    def _verified(self, token: str, now: datetime) -> tuple[Claims, frozenset[str]]:
        known = self._remembered.get(token)
        if known is not None:
            if known[0].exp > now.timestamp():
                return known
            del self._remembered[token]
        claims = self._tokens.verify(token, now)
        if claims is None:
            raise InvalidTokenError
        known = self._remembered[token] = (claims, frozenset(claims.scope.split()))
        if len(self._remembered) > MAX_REMEMBERED_TOKENS:
            self._remembered.popitem(last=False)
        return known
