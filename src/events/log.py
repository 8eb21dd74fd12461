"""Recording what happened."""

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, insert

from src.events.kinds import Kind
from src.events.models import RecordedEvent
from src.events.tasks import Recorded, hand_to
from src.ids import uuid7
from src.sql.statements import NewRow, Runner

_GIVEN = ("id", "kind", "subject_id", "actor_id", "at", "data")
_new_event = NewRow(insert(RecordedEvent).values({name: bindparam(name) for name in _GIVEN}))
_hand_over = hand_to(
    []
)  # to ask for the job takes its name alone; src/main.py has the one that runs


async def record(
    work: Runner,
    kind: Kind,
    *,
    at: datetime,
    subject_id: UUID,
    actor_id: UUID | None = None,
    **data: object,
) -> None:
    """Add an event to the caller's transaction or session.

    Subscribers get it if and only if that is committed. `data` is what a consumer needs besides the
    ids, and small. Webhooks send it: it holds no secret and no address of mail.
    """
    event_id = uuid7()
    await _new_event.write(
        work,
        {
            "id": event_id,
            "kind": kind,
            "subject_id": subject_id,
            "actor_id": actor_id,
            "at": at,
            "data": json.dumps(data),
        },
    )
    await _hand_over.enqueue(work, Recorded(event_id=event_id))
