"""What is held about a user, as one JSON document with a list for every section.

It is put together while it is sent, so that it takes little memory, and holds no connection to the
database while a slow reader reads.
"""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from sqlalchemy import Select, select

from src.access.principals import InvalidTokenError, SessionPrincipal
from src.auth.flows import AuthContext, Flow
from src.http.responses import encode
from src.personal_data import Section
from src.sql.pool import Pool
from src.sql.statements import Query
from src.users.models import User

CHUNK_BYTES = 64 * 1024


@Query
def _user(user_id: UUID) -> Select[UUID]:
    return select(User.id).where(User.id == user_id)


class InterruptedExportError(Exception):
    """The account was deleted while it was exported."""


class ExportService(Flow):
    """Exports what is held about users, and notes that it does before it reads anything."""

    def __init__(self, auth: AuthContext, sections: Sequence[Section]) -> None:
        super().__init__(auth)
        self._sections = sections

    async def begin(self, caller: SessionPrincipal) -> AsyncIterator[bytes]:
        """The parts of the document, with what the caller's token may read; the owner is told.

        Raises:
            InvalidTokenError: the account was deleted a moment ago.
        """
        async with self._database.independent_transaction() as session:
            user = await session.get(User, caller.user_id)
            if user is None:
                raise InvalidTokenError
            await self._events.tell(session, "account.exported", user)
        parts = document(self._database.reads, self._sections, caller)
        try:
            first = await anext(parts)  # most have one alone, which may still be another answer
        except InterruptedExportError:
            raise InvalidTokenError from None
        return _followed(first, parts)


async def _followed(first: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in parts:
        yield part


async def document(
    reads: Pool, sections: Sequence[Section], caller: SessionPrincipal
) -> AsyncIterator[bytes]:
    """The document, in parts; without the last one it is not valid JSON.

    The sections for which the caller's token lacks a scope are named in the list `left_out`.

    Raises:
        InterruptedExportError: the account was deleted meanwhile, and so was what would be missing.
    """
    left_out = [
        {"section": section.name, "missing_scope": " ".join(sorted(missing))}
        for section in sections
        if (missing := section.scopes - caller.scopes)
    ]
    part = bytearray(b'{\n"left_out": ' + encode(left_out))
    for section in sections:
        if section.scopes - caller.scopes:
            continue
        part += b",\n" + encode(section.name) + b": ["
        separator = b"\n"
        async for item in section.documents(reads, caller.user_id):
            part += separator + encode(item)
            separator = b",\n"
            if len(part) >= CHUNK_BYTES:
                yield bytes(part)
                part.clear()
        part += b"]"
    if await _user.first(reads, user_id=caller.user_id) is None:
        raise InterruptedExportError
    yield bytes(part) + b"\n}\n"
