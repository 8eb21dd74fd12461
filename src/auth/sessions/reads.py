"""The reads of sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func

from src.auth.models import Session
from src.auth.sessions.schemas import SessionRead
from src.sql.listing import listing
from src.sql.shapes import Shape
from src.sql.statements import Rows

SESSION = Shape.of(
    SessionRead,
    Session,
    last_used_at=Session.refreshed_at,
    expires_at=func.least(Session.idle_expires_at, Session.expires_at),
    current=Session.id == bindparam("current_id"),
)


@listing(SESSION, by=Session.created_at)
def living_sessions(
    rows: Rows,
    user_id: UUID,
    current_id: UUID,  # noqa: ARG001 - in the shape
    now: datetime,
) -> Rows:
    """The sessions of a user that have not ended; one is that of the request."""
    return rows.where(
        Session.user_id == user_id,
        Session.ended_at.is_(None),
        Session.idle_expires_at > now,
        Session.expires_at > now,
    )
