"""The second factor: codes of an authenticator app (RFC 6238), and codes to recover without it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from src.auth.backoff import Backoff
from src.auth.security_events import SecurityEvents
from src.clock import Clock
from src.config import Settings
from src.database import Database
from src.encryption import SecretBox
from src.users.models import User


class SecondFactor:
    """Enrols, verifies and removes a user's second factor, in the caller's transaction."""

    def __init__(
        self,
        session: AsyncSession,
        database: Database,
        backoff: Backoff,
        box: SecretBox,
        events: SecurityEvents,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._session = session
        self._database = database
        self._backoff = backoff
        self._box = box
        self._events = events
        self._settings = settings
        self._clock = clock

    async def verify(self, user: User, code: str, device_id: UUID | None = None) -> None:
        """Take a code of the app, which is spent by that, or a recovery code.

        Raises:
            InvalidMfaCodeError: it is wrong or spent.
            TooManyFailuresError: too many were wrong, whatever this one is.
        """
        raise NotImplementedError
