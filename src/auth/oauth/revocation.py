"""Revoking a token by handing it back (RFC 7009): it ends the whole session."""

from datetime import datetime

from src.auth.clients.service import Client
from src.auth.exceptions import InvalidGrantError
from src.auth.flows import Flow
from src.auth.models import Session
from src.auth.sessions.service import end, session_of
from src.auth.tokens.opaque_tokens import parse


class RevocationService(Flow):
    """Ends sessions by their tokens, in the caller's transaction."""

    async def revoke(self, token: str, client: Client) -> None:
        """End the session of an access or refresh token; anything else is ignored.

        A spent refresh token counts: whoever has it could end the session by using it, too.

        Raises:
            InvalidGrantError: it was issued to another client (RFC 6749, section 5.2).
        """
        now = self._clock.now()
        session = await self._session_of(token, now)
        if session is None or session.ended_at is not None:
            return
        if session.client_id != client.id:
            raise InvalidGrantError
        if await end(self._session, now, "revoked", Session.id == session.id):
            await self._events.record(
                self._session,
                "session.revoked",
                session.user_id,
                session_id=str(session.id),
                client_id=client.id,
            )

    async def _session_of(self, token: str, now: datetime) -> Session | None:
        if refresh_token := parse(token):
            return await session_of(self._session, self._tools.refresh_tokens, refresh_token)
        verified = await self._tools.access_tokens.verify(token, now)
        return await self._session.get(Session, verified.claims.sid) if verified else None
