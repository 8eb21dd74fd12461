"""What the audit log holds about a user."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import case

from src.access.permissions import OWN_READS
from src.audit.models import AuditEntry
from src.personal_data import Section, rows_of
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape

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
