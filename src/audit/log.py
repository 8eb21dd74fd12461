"""The audit log: who did what to whom, when and from where. Rows are only ever added.

A trigger refuses to change or delete them. They name users by id without a foreign key, so they
stay when an account is deleted.
"""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, case
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from src.access.permissions import OWN_READS
from src.database import Base, Identified
from src.http.peer import Peer
from src.personal_data import Section, rows_of
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape


class AuditEntry(Identified, Base):
    """One event. `actor_id` did it to `user_id`; without an actor, nobody was signed in."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index(None, "at", "id"),
        Index(None, "user_id", "at", "id"),
        Index(None, "actor_id", "at", "id"),
        Index(None, "action", "at", "id"),
    )

    at: Mapped[datetime]
    action: Mapped[str]
    actor_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    address: Mapped[str | None]
    device: Mapped[str]
    details: Mapped[dict[str, object]] = mapped_column(JSONB)


def record(
    session: AsyncSession,
    action: str,
    *,
    at: datetime,
    peer: Peer | None,
    actor_id: UUID | None = None,
    user_id: UUID | None = None,
    **details: object,
) -> None:
    """Add an entry to the session's transaction. `peer` is None for the command line.

    What must be recorded although the request fails goes into an independent transaction. Details
    hold no password, token or address of mail.
    """
    session.add(
        AuditEntry(
            at=at,
            action=action,
            actor_id=actor_id,
            user_id=user_id,
            address=peer.address if peer else None,
            device=peer.device if peer else "command line",
            details=details,
        )
    )


_by_oneself = AuditEntry.actor_id == AuditEntry.user_id
# What an administrator did is about the user; from where is not.
_ENTRY = Shape(
    {
        "id": AuditEntry.id,
        "at": AuditEntry.at,
        "action": AuditEntry.action,
        "by_oneself": _by_oneself,
        "address": case((_by_oneself, AuditEntry.address)),
        "device": case((_by_oneself, AuditEntry.device)),
        "details": AuditEntry.details,
    }
)
_about_user = rows_of(
    "audit_log", AuditEntry.user_id, _ENTRY, AuditEntry.at, AuditEntry.id, scopes=OWN_READS
)


async def _documents(reads: Pool, user_id: UUID) -> AsyncIterator[Document]:
    async for entry in _about_user.documents(reads, user_id):
        yield entry | {"details": json.loads(entry["details"])}


PERSONAL_DATA = [Section(_about_user.name, _about_user.tables, _documents, _about_user.scopes)]
