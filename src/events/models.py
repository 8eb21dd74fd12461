"""The table of events: what happened, for whoever wants to know. They are kept for a week."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from src.sql.tables import Base, Identified


class RecordedEvent(Identified, Base):
    """One event. It names users by id without a foreign key, so it stays when they are deleted.

    `position` orders events, but a lower one may be committed later: `transaction` says from when
    on none can be missing (`src/events/reads.py`). A trigger notifies the channel `plaza_events`.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "position", unique=True),
        Index(None, "at"),
        Index(None, "actor_id", "position"),
    )

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    kind: Mapped[str]
    subject_id: Mapped[UUID]
    actor_id: Mapped[UUID | None]
    at: Mapped[datetime]
    data: Mapped[dict[str, object]] = mapped_column(JSONB)
    # An xid8, as a number.
    transaction: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )
