"""Where requests are counted: in the memory of this process, or in Redis for all processes."""

import asyncio
import logging
import time
from collections import defaultdict
from random import choices
from typing import Any, Protocol

from limits.aio.storage import RedisStorage

from src.addresses.urls import REDIS_SECONDS, redis_pool

logger = logging.getLogger(__name__)

MAX_COUNTED = 100_000  # subjects in memory, for each length of window
CANDIDATES = 5  # of which one is forgotten when there are more
AWAY_SECONDS = 1.0  # a Redis that did not answer is asked again this often, by one request
LOG_SECONDS = 60.0
KEY_PREFIX = "plaza"


class Counts(Protocol):
    """Counts requests of subjects, in windows of time that have a number each."""

    async def count(self, subject: str, window: int, seconds: int) -> int:
        """Count one more; `seconds` after a window began, its count may be forgotten.

        Returns:
            The requests of the subject in the window, with this one.
        """


class MemoryCounts:
    """Counts of this process.

    The storage in memory that limits has would look at every key for every request.
    """

    def __init__(self) -> None:
        self._by_length: defaultdict[int, _Windows] = defaultdict(_Windows)

    async def count(self, subject: str, window: int, seconds: int) -> int:
        """Count one more."""
        return self._by_length[seconds].count(subject, window)


class _Windows:
    """The counts in windows of one length."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}
        self._subjects: list[str] = []  # the same, to choose from

    def count(self, subject: str, window: int) -> int:
        counts = self._counts
        if subject not in counts:
            if len(counts) >= MAX_COUNTED:
                self._forget_one(window)
            self._subjects.append(subject)
        counted_in, count = counts.get(subject, (window, 0))
        count = count + 1 if counted_in == window else 1
        counts[subject] = (window, count)
        return count

    def _forget_one(self, window: int) -> None:
        """Of some chosen at random, forget the one with the fewest requests, as Redis does.

        Whoever wants their own count forgotten has to bring most of the others as far first.
        """
        subjects = self._subjects
        chosen = choices(range(len(subjects)), k=CANDIDATES)  # noqa: S311 - nothing secret
        index = min(chosen, key=lambda one: self._requests(subjects[one], window))
        del self._counts[subjects[index]]
        subjects[index] = subjects[-1]
        subjects.pop()

    def _requests(self, subject: str, window: int) -> int:
        counted_in, count = self._counts[subject]
        # Windows of another subject begin at another moment: the next one may be on already.
        return count if abs(window - counted_in) <= 1 else 0


class SharedCounts:
    """Counts of all processes together, in Redis or Valkey.

    While that is away or slow, each process counts for itself: no request fails for it.
    """

    def __init__(self, url: str) -> None:
        self._pool = redis_pool(url)
        options: dict[str, Any] = {"implementation": "redispy", "connection_pool": self._pool}
        self._storage = RedisStorage("redis://", key_prefix=KEY_PREFIX, **options)
        self._own = MemoryCounts()
        self._away = False
        self._asked_again_at = self._logged_again_at = time.monotonic()

    async def count(self, subject: str, window: int, seconds: int) -> int:
        """Count one more."""
        now = time.monotonic()
        if self._away:
            if now < self._asked_again_at:
                return await self._own.count(subject, window, seconds)
            self._asked_again_at = now + AWAY_SECONDS  # the others need not wait for this one
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                count = await self._storage.incr(f"{subject}/{window}", seconds)
        except Exception as error:  # noqa: BLE001 - whatever is wrong there, requests go on
            self._note_away(error)
            return await self._own.count(subject, window, seconds)
        self._away = False
        return count

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.disconnect()

    def _note_away(self, error: Exception) -> None:
        now = time.monotonic()
        self._away, self._asked_again_at = True, now + AWAY_SECONDS
        if now >= self._logged_again_at:
            self._logged_again_at = now + LOG_SECONDS
            name = type(error).__name__
            logger.warning("REDIS_URL: %s, so this process counts requests for itself", name)
