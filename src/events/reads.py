"""Reading events in their order."""

from uuid import UUID

from sqlalchemy import BigInteger, Text, cast, func, literal_column

from src.events.models import RecordedEvent
from src.sql.shapes import Shape
from src.sql.statements import Rows, read

EVENTS_AT_ONCE = 100
EVENT = Shape(
    {
        "id": RecordedEvent.id,
        "kind": RecordedEvent.kind,
        "subject_id": RecordedEvent.subject_id,
        "actor_id": RecordedEvent.actor_id,
        "at": RecordedEvent.at,
        "data": RecordedEvent.data,
    }
)
_POSITIONED = Shape({"position": RecordedEvent.position, **EVENT.fields})
_oldest_running = func.pg_snapshot_xmin(func.pg_current_snapshot())


@read(EVENT)
def event_by_id(rows: Rows, event_id: UUID) -> Rows:
    """The event."""
    return rows.where(RecordedEvent.id == event_id)


@read(_POSITIONED)
def events_after(rows: Rows, position: int) -> Rows:
    """The next hundred events after a position, as far as no earlier one can still be committed.

    A transaction that runs for long, whatever it does, holds those back that came after it began.
    """
    return (
        rows.where(
            RecordedEvent.position > position,
            RecordedEvent.transaction < cast(cast(_oldest_running, Text), BigInteger),
        )
        .order_by(RecordedEvent.position)
        .limit(literal_column(str(EVENTS_AT_ONCE)))
    )
