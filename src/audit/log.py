"""Adding to the audit log."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from src.audit.models import AuditEntry
from src.http.peer import Peer


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
