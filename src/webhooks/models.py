"""The tables of webhooks and of what was sent to them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from src.sql.tables import Base, Identified, Timestamped, Versioned


class Webhook(Identified, Versioned, Timestamped, Base):
    """A URL that gets events. Its secrets are sealed (`src/webhooks/secrets.py`).

    `failing_since` is the first failure after the last success; that is no change of the webhook
    and raises no version.
    """

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "created_at", "id"),)

    url: Mapped[str]
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    description: Mapped[str]
    is_active: Mapped[bool]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]


class Delivery(Identified, Base):
    """An event for a webhook. Its job holds it until `taken_until` and counts the attempt first."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        CheckConstraint("status IN ('pending', 'succeeded', 'failed')", "status"),
        Index(None, "webhook_id", "created_at", "id"),
        Index(None, "created_at"),
        Index(
            "ix_webhook_deliveries_pending",
            "webhook_id",
            "next_attempt_at",
            "id",
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "ix_webhook_deliveries_taken",
            "webhook_id",
            "taken_until",
            postgresql_where=text("taken_until IS NOT NULL"),
        ),
    )

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey(Webhook.id, ondelete="CASCADE"))
    event_id: Mapped[UUID]
    kind: Mapped[str]
    payload: Mapped[str]
    status: Mapped[str]
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime | None]
    taken_until: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    last_answer: Mapped[str | None]
