"""Token introspection (RFC 7662): whose a token is, and what it is worth at this moment."""

from datetime import datetime
from uuid import UUID

from src.access.permissions import kept, scopes_of
from src.access.principals import InvalidTokenError
from src.auth.models import Session
from src.auth.sessions.service import gets_newest
from src.auth.tokens.opaque_tokens import ParsedToken, parse
from src.auth.tools import AuthTools
from src.sql.shapes import Document, Shape
from src.sql.statements import Rows, read
from src.users.models import User

NOT_VALID: Document = {"active": False}

SESSION = Shape(
    {
        "user_id": Session.user_id,
        "username": User.username,
        "roles": User.roles,
        "client_id": Session.client_id,
        "scope": Session.scope,
        "refresh_salt": Session.refresh_salt,
        "refresh_generation": Session.refresh_generation,
        "refreshed_at": Session.refreshed_at,
        "earlier_refreshes": Session.earlier_refreshes,
        "idle_expires_at": Session.idle_expires_at,
        "expires_at": Session.expires_at,
    }
)


@read(SESSION)
def _living_session(rows: Rows, session_id: UUID, now: datetime) -> Rows:
    return rows.where(
        Session.id == session_id,
        Session.ended_at.is_(None),
        Session.idle_expires_at > now,
        Session.expires_at > now,
        Session.user_id == User.id,
        User.is_active,
    )


class IntrospectionService:
    """Looks at tokens and changes nothing."""

    def __init__(self, tools: AuthTools) -> None:
        self._tools = tools

    async def introspect(self, token: str) -> Document:
        """What RFC 7662 (section 2.2) has to say of an access or refresh token.

        A refresh token is told from an access token by its `token_type`, and by `aud`, which is
        this server: it opens nothing anywhere else.
        """
        now = self._tools.clock.now()
        if refresh_token := parse(token):
            return await self._of_refresh_token(refresh_token, now)
        return await self._of_access_token(token, now)

    async def _of_access_token(self, token: str, now: datetime) -> Document:
        verified = await self._tools.access_tokens.verify(token, now)
        if verified is None:
            return NOT_VALID
        try:
            principal = await self._tools.authenticator.authenticate(token)
        except InvalidTokenError:
            return NOT_VALID
        claims = verified.claims
        return {
            "active": True,
            **claims.model_dump(mode="json", exclude_none=True),
            "scope": kept(claims.scope, principal.scopes),
            "username": principal.user["username"],
            "token_type": "bearer",
        }

    async def _of_refresh_token(self, token: ParsedToken, now: datetime) -> Document:
        session = await _living_session.first(
            self._tools.database.reads, session_id=token.row_id, now=now
        )
        if session is None or not self._tools.refresh_tokens.verify(token, session["refresh_salt"]):
            return NOT_VALID
        refreshed_at: datetime = session["refreshed_at"]
        age = session["refresh_generation"] - token.counter
        times = [refreshed_at, *session["earlier_refreshes"]]
        if age and not gets_newest(age, times, now, self._tools.settings.refresh_grace):
            return NOT_VALID
        issuer = self._tools.settings.public_url
        return {
            "active": True,
            "scope": kept(session["scope"], scopes_of(session["roles"])),
            "client_id": session["client_id"],
            "username": session["username"],
            "token_type": "refresh_token",
            "exp": int(min(session["idle_expires_at"], session["expires_at"]).timestamp()),
            "iat": int(refreshed_at.timestamp()),
            "sub": session["user_id"],
            "aud": issuer,
            "iss": issuer,
            "sid": str(token.row_id),
        }
