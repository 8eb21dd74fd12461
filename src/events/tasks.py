"""Handing events to their subscribers, and forgetting old ones."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, select

from src.events.models import RecordedEvent
from src.events.reads import event_by_id
from src.features import Event, Subscriber
from src.jobs.tasks import JobContext, Schedule, Task

KEPT = timedelta(days=7)
DELETED_AT_ONCE = 1000


class Recorded(BaseModel):
    """An event to hand over."""

    event_id: UUID


def hand_to(subscribers: Sequence[Subscriber]) -> Task[Recorded]:
    """The job that gives an event to those who subscribed to its kind, at least once.

    Each gets it in a transaction of its own, whatever becomes of the others. If one fails, the job
    fails after the last, and all get the event again.
    """

    async def run(context: JobContext, job: Recorded) -> None:
        found = await event_by_id.first(context.database.reads, event_id=job.event_id)
        if found is None:  # forgotten: the job was held for a week
            return
        event = Event(**found)
        failures: list[Exception] = []
        for subscriber in subscribers:
            if not event.kind.startswith(tuple(subscriber.kinds)):
                continue
            try:
                async with context.database.independent_transaction() as session:
                    await subscriber.receive(context, session, event)
            except Exception as error:  # noqa: BLE001 - raised when the others have got it
                failures.append(error)
        if failures:
            raise failures[0]

    return Task("events.dispatch", Recorded, run)


async def _forget_old_events(context: JobContext) -> None:
    """Delete the events that are not kept any more, some at a time."""
    oldest = context.clock.now() - KEPT
    some = (
        select(RecordedEvent.id)
        .where(RecordedEvent.at <= oldest)
        .order_by(RecordedEvent.at)
        .limit(DELETED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    deleted = True
    while deleted:
        async with context.database.independent_transaction() as session:
            gone = await session.scalars(
                delete(RecordedEvent)
                .where(RecordedEvent.id.in_(some))
                .returning(RecordedEvent.id)
                .execution_options(synchronize_session=False)
            )
            deleted = bool(gone.all())


SCHEDULES = [Schedule("events.forget_old_events", "29 * * * *", _forget_old_events)]
