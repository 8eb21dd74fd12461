"""Bytes of memory that many hold together: a limit for all of them, and who holds most."""

import asyncio
import ctypes
from collections.abc import Callable
from typing import Generic, TypeVar

RELIEF_SECONDS = 1.0  # for the application to drop what was refused

Holder = TypeVar("Holder")


class ByteBudget(Generic[Holder]):
    """Counts bytes by holder.

    What a holder has may be given up to make room; what was taken out of its hands is still
    `used`, until it is released.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._held: dict[Holder, int] = {}
        self._was_full = False

    def hold(self, holder: Holder, size: int) -> None:
        """Count more bytes for a holder."""
        self._held[holder] = self._held.get(holder, 0) + size
        self.used += size
        if self.used > self.limit // 2:
            self._was_full = True

    def held(self, holder: Holder) -> int:
        """What a holder has."""
        return self._held.get(holder, 0)

    def take_out(self, holder: Holder, size: int) -> int:
        """Take bytes out of a holder's hands, as many as it has at most: how many that is."""
        taken = min(size, self._held[holder])
        self._held[holder] -= taken
        return taken

    def release(self, size: int) -> None:
        """So many bytes are free again."""
        self.used -= size

    def drop(self, holder: Holder) -> None:
        """Release what a holder has."""
        self.used -= self._held.pop(holder, 0)

    def largest(self) -> Holder | None:
        """Who has most."""
        return max(self._held, key=self._held.__getitem__, default=None)

    def make_room(self, holder: Holder, more: int, refuse: Callable[[Holder], object]) -> bool:
        """Refuse the largest holder while with so much more for this one all have too much.

        False if this one was refused; each has to `drop` what it has.
        """
        while self.used + more > self.limit:
            largest = self.largest()
            if largest is None or self.held(largest) <= self.held(holder) + more:
                largest = holder
            refuse(largest)
            if largest is holder:
                return False
        return True

    def is_relieved(self) -> bool:
        """Whether little is held after much was: true once."""
        relieved = self._was_full and self.used < self.limit // 8
        if relieved:
            self._was_full = False
        return relieved


def give_back_memory(loop: asyncio.AbstractEventLoop) -> None:
    """Return to the system what is free inside the process, in a moment.

    glibc keeps it for later otherwise, most of it for ever: what is in use lies in between. Other
    systems have no such function, or no need of it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        loop.call_later(RELIEF_SECONDS, trim, 0)
