"""The audit log: who did what to whom, when and from where. Rows are only ever added.

A trigger refuses to change or delete them. They name users by id without a foreign key, so they
stay when an account is deleted.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from src.sql.tables import Base, Identified


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
