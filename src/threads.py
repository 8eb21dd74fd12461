"""Work that takes the processor for long: on threads of its own, behind a bounded queue."""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from src.exceptions import OverloadedError

Result = TypeVar("Result")


class BoundedThreads:
    """Runs functions on `threads` threads; what is under way and waits weighs at most `capacity`.

    `seconds_each` is about how long a weight of one takes, to say when to come again.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        capacity: int,
        seconds_each: float,
        initializer: Callable[[], None] | None = None,
    ) -> None:
        self._executor = ThreadPoolExecutor(threads, name, initializer)
        self._threads = threads
        self._capacity = capacity
        self._seconds_each = seconds_each
        self._pending = 0

    async def run(self, work: Callable[[], Result], weight: int = 1) -> Result:
        """What `work` returns.

        Raises:
            OverloadedError: there is no room for it now.
        """
        if self._pending + weight > self._capacity:
            raise OverloadedError(math.ceil(self._pending * self._seconds_each / self._threads))
        self._pending += weight
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._pending -= weight

    def close(self) -> None:
        """Drop what is queued and let the threads end."""
        self._executor.shutdown(wait=False, cancel_futures=True)
