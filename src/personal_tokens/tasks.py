"""Background jobs of personal access tokens."""

from datetime import timedelta

from sqlalchemy import delete

from src.jobs.tasks import JobContext, Schedule
from src.personal_tokens.models import PersonalToken

EXPIRED_KEPT = timedelta(days=30)  # so that its owner sees why a program of theirs stopped


async def _forget_expired(context: JobContext) -> None:
    """Delete the tokens that expired long ago."""
    async with context.database.independent_transaction() as session:
        oldest = context.clock.now() - EXPIRED_KEPT
        await session.execute(delete(PersonalToken).where(PersonalToken.expires_at <= oldest))


SCHEDULES = [Schedule("personal_tokens.forget_expired", "29 3 * * *", _forget_expired)]
