"""Adding to the audit log."""

import json
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from src.audit.models import AuditEntry
from src.ids import uuid7
from src.sql.statements import NewRow, Runner

if TYPE_CHECKING:  # a command needs no web framework
    from src.http.peer import Peer

_new_entry = NewRow(AuditEntry)


async def record(
    work: Runner,
    action: str,
    *,
    at: datetime,
    peer: "Peer | None",
    actor_id: UUID | None = None,
    user_id: UUID | None = None,
    **details: object,
) -> None:
    """Add an entry to the caller's transaction or session. `peer` is None for the command line.

    What must be recorded although the request fails goes into an independent transaction. Details
    hold no password, token or address of mail.
    """
    await _new_entry.write(
        work,
        {
            "id": uuid7(),
            "at": at,
            "action": action,
            "actor_id": actor_id,
            "user_id": user_id,
            "address": peer.address if peer else None,
            "device": peer.device if peer else "command line",
            "details": json.dumps(details),
        },
    )
