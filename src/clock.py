"""The time, as a dependency: rules ask a `Clock`, so tests can set it."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time. All times in Plaza are aware and in UTC."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)


def elapsed(since: datetime, now: datetime) -> timedelta:
    """The time from one moment to another, never less than nothing.

    `since` may come from another process, whose clock is ahead of ours.
    """
    return max(now - since, timedelta(0))
