"""The reads of sessions."""

from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, func, literal_column, tuple_

from src.access.principals import SessionPrincipal
from src.auth.models import Session
from src.pagination import MAX_LIMIT, decode_cursor
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Read

SESSION = Shape(
    {
        "id": Session.id,
        "device": Session.device,
        "address": Session.address,
        "client_id": Session.client_id,
        "created_at": Session.created_at,
        "last_used_at": Session.refreshed_at,
        "expires_at": func.least(Session.idle_expires_at, Session.expires_at),
        "current": Session.id == bindparam("current_id"),
    }
)


def _living_sessions(*further: ColumnElement[bool]) -> Read:
    return Read(
        SESSION,
        lambda rows: (
            rows.where(
                Session.user_id == bindparam("user_id"),
                Session.ended_at.is_(None),
                Session.idle_expires_at > bindparam("now"),
                Session.expires_at > bindparam("now"),
                *further,
            )
            .order_by(Session.created_at.desc(), Session.id.desc())
            .limit(literal_column(str(MAX_LIMIT + 1)))
        ),
    )


_sessions = _living_sessions()
_sessions_after = _living_sessions(
    tuple_(Session.created_at, Session.id) < tuple_(bindparam("at"), bindparam("id"))
)


async def list_sessions(
    reads: Pool, caller: SessionPrincipal, cursor: str | None, now: datetime
) -> list[Document]:
    """The caller's living sessions, newest first: more than any page has, if there are more.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    parameters = {"user_id": caller.user_id, "current_id": caller.session_id, "now": now}
    if cursor is None:
        return await _sessions.all(reads, **parameters)
    at, row_id = decode_cursor(cursor)
    return await _sessions_after.all(reads, **parameters, at=at, id=row_id)
