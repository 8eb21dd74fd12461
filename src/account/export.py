"""Everything that is held about a user, as one JSON document with a list for every section.

It is put together while it is sent, so that it takes little memory, and holds no connection to the
database while a slow reader reads.
"""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncSession

from src.auth.security_events import SecurityEvents
from src.personal_data import Section
from src.pool import Pool
from src.responses import encode
from src.security import InvalidTokenError
from src.shapes import Shape
from src.statements import Read
from src.users.models import User

CHUNK_BYTES = 64 * 1024

_user = Read(Shape({"id": User.id}), lambda rows: rows.where(User.id == bindparam("user_id")))


class InterruptedExportError(Exception):
    """The account was deleted while it was exported."""


class ExportService:
    """Exports what is held about users; who does is noted in the caller's transaction."""

    def __init__(
        self,
        session: AsyncSession,
        reads: Pool,
        sections: Sequence[Section],
        events: SecurityEvents,
    ) -> None:
        self._session = session
        self._reads = reads
        self._sections = sections
        self._events = events

    async def begin(self, user_id: UUID) -> AsyncIterator[bytes]:
        """The parts of the document; the owner is told.

        Raises:
            InvalidTokenError: the account was deleted a moment ago.
        """
        user = await self._session.get(User, user_id)
        if user is None:
            raise InvalidTokenError
        await self._events.tell(self._session, "account.exported", user)
        return document(self._reads, self._sections, user_id)


async def document(reads: Pool, sections: Sequence[Section], user_id: UUID) -> AsyncIterator[bytes]:
    """The document, in parts; without the last one it is not valid JSON.

    Raises:
        InterruptedExportError: the account was deleted meanwhile, and so was what would be missing.
    """
    part = bytearray()
    for number, section in enumerate(sections):
        part += b",\n" if number else b"{\n"
        part += encode(section.name) + b": ["
        separator = b"\n"
        async for item in section.documents(reads, user_id):
            part += separator + encode(item)
            separator = b",\n"
            if len(part) >= CHUNK_BYTES:
                yield bytes(part)
                part.clear()
        part += b"]"
    if await _user.first(reads, user_id=user_id) is None:
        raise InterruptedExportError
    yield bytes(part) + b"\n}\n"
