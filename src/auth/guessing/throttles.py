"""Counting in PostgreSQL how often something was done, for every process alike."""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import case
from sqlalchemy.dialects.postgresql import insert

from src.auth.exceptions import TooManyRequestsError
from src.auth.models import Throttle
from src.sql.session import DatabaseSession

WINDOW = timedelta(hours=1)


async def require_few(session: DatabaseSession, subject: str, most: int, now: datetime) -> None:
    """Count one more attempt by `subject`; a refused one leaves its count at the limit.

    Raises:
        TooManyRequestsError: it was more than `most` in the current window.
    """
    count, window_ends_at = await count_attempt(session, subject, now)
    if count > most:
        # Another process, whose clock is ahead, may have begun the window.
        wait = min(window_ends_at - now, WINDOW)
        raise TooManyRequestsError(int(wait.total_seconds()) + 1)


async def count_attempt(
    session: DatabaseSession, subject: str, now: datetime
) -> tuple[int, datetime]:
    """Count one more attempt by `subject` in its current window.

    Only a digest of the subject is stored.

    Returns:
        The attempts in the window including this one, and when the window ends.
    """
    key = hashlib.sha256(subject.encode()).digest()
    over = Throttle.window_started_at <= now - WINDOW
    statement = (
        insert(Throttle)
        .values(key=key, window_started_at=now, count=1)
        .on_conflict_do_update(
            index_elements=[Throttle.key],
            set_={
                Throttle.count: case((over, 1), else_=Throttle.count + 1),
                Throttle.window_started_at: case((over, now), else_=Throttle.window_started_at),
            },
        )
        .returning(Throttle.count, Throttle.window_started_at)
    )
    count, window_started_at = (await session.execute(statement)).one()
    return count, window_started_at + WINDOW
