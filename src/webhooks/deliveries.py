"""Deliveries in the database: made, taken to be sent, and what came of it."""

import random
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from src.audit import log as audit
from src.ids import uuid7
from src.sql.session import DatabaseSession
from src.webhooks.models import Delivery, Webhook
from src.webhooks.schemas import DisabledReason
from src.webhooks.sending import Outcome

MAX_AT_ONCE = 3  # to one webhook
TAKEN_FOR = timedelta(seconds=30)  # longer than an attempt takes
DELAYS = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
]
JITTER = 0.1
LONGEST_RETRY_AFTER = timedelta(hours=24)
FAILING_FOR = timedelta(days=5)
GONE = 410
NOT_NOW = {429, 503}


def payload_of(kind: str, at: datetime, data: dict[str, object]) -> str:
    """The body of a message, as Standard Webhooks has it."""
    message = {"type": kind, "timestamp": at, "data": data}
    return orjson.dumps(message, default=str, option=orjson.OPT_UTC_Z).decode()


async def add(
    session: DatabaseSession,
    webhook_id: UUID,
    *,
    event_id: UUID,
    kind: str,
    payload: str,
    now: datetime,
) -> UUID | None:
    """A delivery that is to be sent now, or None if there is one of the event already."""
    new = (
        insert(Delivery)
        .values(
            id=uuid7(),
            webhook_id=webhook_id,
            event_id=event_id,
            kind=kind,
            payload=payload,
            status="pending",
            attempts=0,
            created_at=now,
            next_attempt_at=now,
        )
        .on_conflict_do_nothing(index_elements=[Delivery.webhook_id, Delivery.event_id])
        .returning(Delivery.id)
    )
    return await session.scalar(new)


async def locked_webhook(session: DatabaseSession, webhook_id: UUID) -> Webhook | None:
    """The webhook, before its deliveries: nobody else takes one or notes an outcome meanwhile."""
    return await session.scalar(
        select(Webhook).where(Webhook.id == webhook_id).with_for_update(key_share=True)
    )


async def any_due(session: DatabaseSession, webhook_id: UUID, now: datetime) -> bool:
    """Whether a delivery waits to be sent."""
    return await session.scalar(_due(webhook_id, now).with_only_columns(Delivery.id)) is not None


async def take(
    session: DatabaseSession, webhook_id: UUID, now: datetime
) -> tuple[Webhook, Delivery] | None:
    """The next delivery that is due, with its attempt counted, unless enough are under way."""
    webhook = await locked_webhook(session, webhook_id)
    if webhook is None or not webhook.is_active:
        return None
    under_way = await session.scalar(
        select(func.count()).where(Delivery.webhook_id == webhook_id, Delivery.taken_until > now)
    )
    if (under_way or 0) >= MAX_AT_ONCE:
        return None
    delivery = await session.scalar(_due(webhook_id, now).with_for_update())
    if delivery is None:
        return None
    delivery.attempts += 1
    delivery.taken_until = now + TAKEN_FOR
    delivery.last_attempt_at = now
    await session.flush()
    return webhook, delivery


async def note(
    session: DatabaseSession, taken: Delivery, outcome: Outcome, now: datetime
) -> timedelta | None:
    """Note what came of an attempt: how long until the next one, if there is to be one.

    After a 410, or five days in which nothing got through, the webhook is disabled.
    """
    webhook = await locked_webhook(session, taken.webhook_id)
    delivery = await session.scalar(
        select(Delivery)
        .where(
            Delivery.id == taken.id,
            Delivery.attempts == taken.attempts,
            Delivery.taken_until == taken.taken_until,
        )
        .with_for_update()
    )
    if webhook is None or delivery is None:  # deleted, or somebody else's after too long
        return None
    delivery.taken_until = None
    delivery.last_status, delivery.last_error = outcome.status, outcome.failure
    delivery.last_answer = outcome.answer
    delay = None if outcome.succeeded else _delay(delivery.attempts, outcome)
    delivery.next_attempt_at = now + delay if delay else None
    if delay is None:
        delivery.status = "succeeded" if outcome.succeeded else "failed"
    await session.flush()
    await _note_health(session, webhook, outcome, now)
    return delay


def _due(webhook_id: UUID, now: datetime) -> Select[Delivery]:
    return (
        select(Delivery)
        .where(
            Delivery.webhook_id == webhook_id,
            Delivery.status == "pending",
            Delivery.next_attempt_at <= now,
            or_(Delivery.taken_until.is_(None), Delivery.taken_until <= now),
        )
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .limit(1)
    )


def _delay(attempts: int, outcome: Outcome) -> timedelta | None:
    if attempts > len(DELAYS) or outcome.status == GONE:
        return None
    delay = DELAYS[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    if outcome.status in NOT_NOW:
        wanted = timedelta(seconds=outcome.retry_after)
        delay = max(delay, min(wanted, LONGEST_RETRY_AFTER))
    return delay


async def _note_health(
    session: DatabaseSession, webhook: Webhook, outcome: Outcome, now: datetime
) -> None:
    failing_since = None if outcome.succeeded else webhook.failing_since or now
    reason: DisabledReason | None = None
    if outcome.status == GONE:
        reason = "gone"
    elif failing_since and now - failing_since >= FAILING_FOR:
        reason = "failing"
    if failing_since != webhook.failing_since:  # no change that anybody's If-Match is about
        await session.execute(
            update(Webhook)
            .where(Webhook.id == webhook.id)
            .values(failing_since=failing_since)
            .execution_options(synchronize_session=False)
        )
    if reason and webhook.is_active:
        webhook.is_active = False
        webhook.disabled_at = webhook.updated_at = now
        webhook.disabled_reason = reason
        await session.flush()
        await audit.record(
            session,
            "webhook.disabled",
            at=now,
            peer=None,
            webhook_id=str(webhook.id),
            reason=reason,
        )
