"""What is done to keys without being asked."""

from sqlalchemy import delete

from src.idempotency.keys import KEPT
from src.idempotency.models import IdempotencyRecord
from src.jobs.tasks import JobContext, Schedule


async def _forget_old_keys(context: JobContext) -> None:
    """Delete the keys that are not kept any more."""
    async with context.database.independent_transaction() as session:
        oldest = context.clock.now() - KEPT
        await session.execute(
            delete(IdempotencyRecord).where(IdempotencyRecord.created_at <= oldest)
        )


SCHEDULES = [Schedule("idempotency.forget_old_keys", "17 * * * *", _forget_old_keys)]
