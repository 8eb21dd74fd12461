"""What the audit log holds about a user."""

from sqlalchemy import case

from src.access.permissions import OWN_READS
from src.audit.models import AuditEntry
from src.personal_data import rows_of
from src.sql.shapes import Shape

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
PERSONAL_DATA = [
    rows_of("audit_log", AuditEntry.user_id, _ENTRY, AuditEntry.at, AuditEntry.id, scopes=OWN_READS)
]
