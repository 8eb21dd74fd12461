"""Work that takes the processor for long: on threads of its own, in a bounded queue, in turns."""

import asyncio
import math
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

from src.exceptions import OverloadedError

OWN_CGROUP, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")

Result = TypeVar("Result")


def usable_cores() -> int:
    """How many threads may compute at once: one a core that this process may run on.

    Fewer where a quota of its cgroup (version 2) allows less, and one fewer than that: a quota
    knows no priorities, so threads of the lowest one could use up what requests need.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no such cgroup, or no quota
        name = OWN_CGROUP.read_text().rpartition(":")[2].strip().lstrip("/")
        quota, period = (CGROUPS / name / "cpu.max").read_text().split()
        cores = min(cores, int(quota) // int(period) - 1)
    return max(cores, 1)


@dataclass(eq=False, slots=True)
class _Job:
    work: Callable[[], Any]
    owner: Hashable
    weight: int
    outcome: Future[Any] = field(default_factory=Future)


class BoundedThreads:
    """Runs functions on `threads` threads; the owners of what waits take turns.

    `seconds_each` is about how long a weight of one takes. What is under way and waits takes
    `longest_wait` seconds at most, or is one for each thread. Past that, the owner who has most of
    it loses what came last: whoever is alone may fill the queue, and nobody can for the others.
    What has not begun after `longest_wait` seconds is refused, too.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        longest_wait: float,
        seconds_each: float,
        initializer: Callable[[], None] | None = None,
    ) -> None:
        self._executor = ThreadPoolExecutor(threads, name, initializer)
        self._threads = threads
        self._longest_wait = longest_wait
        self._seconds_each = seconds_each
        self._capacity = max(threads, int(threads * longest_wait / seconds_each))
        self._lock = RLock()  # of what follows
        self._queues: dict[Hashable, deque[_Job]] = {}  # by owner, whose turn is next first
        self._weights: Counter[Hashable] = Counter()  # by owner, of what waits and is under way

    async def run(
        self,
        work: Callable[[], Result],
        owner: Hashable,
        weight: int = 1,
        gone: asyncio.Event | None = None,
    ) -> Result:
        """What `work` returns. What has to wait leaves the queue once its owner is `gone`.

        Raises:
            OverloadedError: there was no room for it, or no turn in time.
        """
        job = _Job(work, owner, weight)
        job.outcome.add_done_callback(lambda _: self._ended(job))
        with self._lock:
            self._queues.setdefault(owner, deque()).append(job)
            self._weights[owner] += weight
            while self._weights.total() > self._capacity:
                self._refuse(self._last_of_most(owner))
        late = asyncio.get_running_loop().call_later(self._longest_wait, self._refuse, job)
        leaving = None
        if gone and self._weights.total() > self._threads:  # or it begins at once
            leaving = asyncio.ensure_future(gone.wait())
            leaving.add_done_callback(lambda _: self._refuse(job))
        try:
            self._executor.submit(self._run_next)
            result: Result = await asyncio.wrap_future(job.outcome)
            return result
        finally:
            late.cancel()
            if leaving:
                leaving.cancel()
            self._withdraw(job)

    def close(self) -> None:
        """Drop what is queued and let the threads end."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for job in [job for queue in self._queues.values() for job in queue]:
                job.outcome.cancel()

    def _run_next(self) -> None:
        """Run what is next in turn, on one of the threads; nothing if that was withdrawn."""
        with self._lock:
            if not self._queues:
                return
            owner = next(iter(self._queues))
            queue = self._queues.pop(owner)
            job = queue.popleft()
            if queue:
                self._queues[owner] = queue  # after all others
        if not job.outcome.set_running_or_notify_cancel():
            return
        try:
            result = job.work()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            job.outcome.set_exception(error)
        else:
            job.outcome.set_result(result)

    def _last_of_most(self, newest: Hashable) -> _Job:
        """What came last from the owner who has most; the newest of those who have as much."""
        most = max(self._queues, key=lambda owner: (self._weights[owner], owner == newest))
        return self._queues[most][-1]

    def _refuse(self, job: _Job) -> None:
        """Let it be told when to come again, unless it has begun."""
        with self._lock:
            seconds = self._weights.total() * self._seconds_each / self._threads
            if self._withdraw(job):
                job.outcome.set_exception(OverloadedError(math.ceil(seconds)))

    def _withdraw(self, job: _Job) -> bool:
        """Take it out of the queue; whether it was there."""
        with self._lock:
            queue = self._queues.get(job.owner)
            if queue is None or job not in queue:
                return False
            queue.remove(job)
            if not queue:
                del self._queues[job.owner]
            return True

    def _ended(self, job: _Job) -> None:
        with self._lock:
            self._weights[job.owner] -= job.weight
            if not self._weights[job.owner]:
                del self._weights[job.owner]
