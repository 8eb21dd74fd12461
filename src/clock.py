"""The time, as a dependency: rules ask a `Clock`, so tests can set it."""

from datetime import UTC, datetime


class Clock:
    """Tells the time. All times in Plaza are aware and in UTC."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)
