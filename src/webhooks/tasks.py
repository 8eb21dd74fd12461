"""Background jobs of webhooks: events are sent to them, old deliveries are forgotten."""

from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, or_, select

from src.features import Event, Subscriber
from src.jobs.tasks import JobContext, Schedule, Task
from src.sql.session import DatabaseSession
from src.webhooks import deliveries
from src.webhooks.kinds import selections_of
from src.webhooks.models import Delivery, Webhook
from src.webhooks.secrets import WebhookSecrets
from src.webhooks.sending import Outcome, send
from src.webhooks.signatures import signed_headers

KEPT = timedelta(days=30)
DELETED_AT_ONCE = 1000
JOBS_AT_ONCE = 10  # the others a worker can do stay free for mails


class DueDelivery(BaseModel):
    """Which webhook has a delivery to be sent; the job takes the one that has waited longest."""

    webhook_id: UUID


async def _receive(context: JobContext, session: DatabaseSession, event: Event) -> None:
    """A delivery, once, for each active webhook that wants events of this kind."""
    webhooks = await session.scalars(
        select(Webhook.id)
        .where(Webhook.is_active, Webhook.kinds.overlap(selections_of(event.kind)))
        .order_by(Webhook.id)
        .with_for_update(key_share=True, read=True)
    )
    data = {"subject_id": event.subject_id, "actor_id": event.actor_id, **event.data}
    payload = deliveries.payload_of(event.kind, event.at, data)
    now = context.clock.now()
    for webhook_id in webhooks.all():
        added = await deliveries.add(
            session, webhook_id, event_id=event.id, kind=event.kind, payload=payload, now=now
        )
        if added:
            await deliver.enqueue(session, DueDelivery(webhook_id=webhook_id))


async def _deliver(context: JobContext, job: DueDelivery) -> None:
    """Send one delivery, with no transaction open meanwhile.

    If as many as may are under way, whoever ends one of them sees to the rest.
    """
    database, settings = context.database, context.settings
    now = context.clock.now()
    async with database.independent_transaction() as session:
        taken = await deliveries.take(session, job.webhook_id, now)
    if taken is None:
        return
    webhook, delivery = taken
    payload = delivery.payload.encode()
    keys = WebhookSecrets(settings).living(webhook, now)
    headers = signed_headers(str(delivery.event_id), int(now.timestamp()), payload, keys)
    outcome = Outcome(failure="secret_lost")
    if keys:
        outcome = await send(
            webhook.url,
            headers,
            payload,
            allowed=settings.webhook_allowed_networks,
            require_encryption=settings.webhook_encryption_required,
        )
    now = context.clock.now()
    async with database.independent_transaction() as session:
        delay = await deliveries.note(session, delivery, outcome, now)
        if delay:
            await deliver.enqueue(session, job, delay=delay)
        if await deliveries.any_due(session, job.webhook_id, now):
            await deliver.enqueue(session, job)


async def _see_to_overdue(context: JobContext) -> None:
    """Go on where a worker was killed, or a webhook is enabled again."""
    now = context.clock.now()
    async with context.database.independent_transaction() as session:
        overdue = await session.scalars(
            select(Delivery.webhook_id)
            .join(Webhook, Webhook.id == Delivery.webhook_id)
            .where(
                Webhook.is_active,
                Delivery.status == "pending",
                Delivery.next_attempt_at <= now,
                or_(Delivery.taken_until.is_(None), Delivery.taken_until <= now),
            )
            .distinct()
        )
        for webhook_id in overdue.all():
            await deliver.enqueue(session, DueDelivery(webhook_id=webhook_id))


async def _forget_old_deliveries(context: JobContext) -> None:
    """Delete the deliveries that are not kept any more, some at a time."""
    some = (
        select(Delivery.id)
        .where(Delivery.created_at <= context.clock.now() - KEPT)
        .order_by(Delivery.created_at)
        .limit(DELETED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    deleted = True
    while deleted:
        async with context.database.independent_transaction() as session:
            gone = await session.scalars(
                delete(Delivery)
                .where(Delivery.id.in_(some))
                .returning(Delivery.id)
                .execution_options(synchronize_session=False)
            )
            deleted = bool(gone.all())


deliver = Task("webhooks.deliver", DueDelivery, _deliver, at_once=JOBS_AT_ONCE)
TASKS = [deliver]
SUBSCRIBERS = [Subscriber([""], _receive)]
SCHEDULES = [
    Schedule("webhooks.see_to_overdue", "* * * * *", _see_to_overdue),
    Schedule("webhooks.forget_old_deliveries", "37 * * * *", _forget_old_deliveries),
]
