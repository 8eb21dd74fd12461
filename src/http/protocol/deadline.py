"""A deadline that is moved far more often than it is met."""

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """Calls back once when it has passed.

    Moving it on costs no timer: the one that is set rings too early then, and is set anew.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._due = math.inf
        self._rings_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Move it to so many seconds from now; 0: never."""
        self._due = self._loop.time() + seconds if seconds else math.inf
        if self._due < self._rings_at:
            self._set_timer()

    def cancel(self) -> None:
        """Never call back."""
        self._due = math.inf
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._due == math.inf else self._loop.call_at(self._due, self._ring)
        self._rings_at = self._due

    def _ring(self) -> None:
        if self._loop.time() < self._due:
            self._set_timer()
        else:
            self._timer, self._due, self._rings_at = None, math.inf, math.inf
            self._passed()
