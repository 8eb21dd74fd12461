"""Threads for long work: the queue is bounded, and nobody can have it all."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from src import threads as module
from src.exceptions import OverloadedError
from src.threads import BoundedThreads, usable_cores
from tests.support import PATIENCE_SECONDS


class Work:
    """Work on one thread, which waits until it is let go."""

    def __init__(self, longest_wait: float = PATIENCE_SECONDS, capacity: int = 5) -> None:
        self.threads = BoundedThreads("test", 1, longest_wait, longest_wait / capacity)
        self.done: list[str] = []
        self._may_end = threading.Event()

    async def occupy(self, owner: str, gone: asyncio.Event | None = None) -> asyncio.Task[None]:
        """Take the thread."""
        begun = threading.Event()

        def wait() -> None:
            begun.set()
            self._may_end.wait()

        task = asyncio.create_task(self.threads.run(wait, owner, gone=gone))
        assert await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        return task

    async def add(
        self, *names: str, weight: int = 1, gone: asyncio.Event | None = None
    ) -> list[asyncio.Task[None]]:
        """Let things wait, such as `ann 1`, whose owner is ann."""
        tasks = []
        for name in names:

            def work(name: str = name) -> None:
                self.done.append(name)

            run = self.threads.run(work, name.split()[0], weight, gone)
            tasks.append(asyncio.create_task(run))
            await asyncio.sleep(0)
        return tasks

    def release(self) -> None:
        """Let what waits on the thread end."""
        self._may_end.set()


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    """One thread, for five at once."""
    work = Work()
    yield work
    work.release()
    work.threads.close()


async def settled(*tasks: asyncio.Task[None]) -> list[bool]:
    """Whether each was done, or else refused for a while; in the end, of all."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, OverloadedError):
            assert 1 <= int(outcome.headers["Retry-After"]) <= 2 * PATIENCE_SECONDS
        else:
            assert outcome is None, outcome
    return [outcome is None for outcome in outcomes]


async def test_owners_take_turns(work: Work) -> None:
    first = await work.occupy("ann")
    waiting = await work.add("ann 1", "ann 2", "ann 3", "bob 1")
    work.release()
    assert all(await settled(first, *waiting))
    assert work.done == ["ann 1", "bob 1", "ann 2", "ann 3"]


async def test_whoever_is_alone_may_have_all_the_queue_and_no_more(work: Work) -> None:
    first = await work.occupy("ann")
    waiting = await work.add(*(f"ann {number}" for number in range(1, 8)))
    await asyncio.wait(waiting[4:])  # at once, not when the queue has gone down
    work.release()
    assert await settled(first, *waiting) == [True] * 5 + [False] * 3


async def test_others_get_in_while_one_floods(work: Work) -> None:
    first = await work.occupy("ann")
    flood = await work.add(*(f"ann {number}" for number in range(1, 8)))
    others = await work.add("bob 1", "cid 1")
    work.release()
    assert all(await settled(first, *others))
    assert await settled(*flood) == [True] * 2 + [False] * 5
    assert work.done == ["ann 1", "bob 1", "cid 1", "ann 2"]


async def test_what_weighs_more_takes_more_of_the_room(work: Work) -> None:
    first = await work.occupy("ann")
    [heavy, *_] = flood = await work.add("ann 1", "ann 2", weight=2)
    [other] = await work.add("bob 1", weight=2)
    work.release()
    assert await settled(first, *flood, other) == [True, True, False, True]
    assert heavy.done()


async def test_who_has_as_much_already_is_not_turned_away_for_a_newcomer(work: Work) -> None:
    first = await work.occupy("ann")
    waiting = await work.add("bob 1", "cid 1", "dan 1", "eve 1")
    [newcomer] = await work.add("fay 1")
    work.release()
    assert await settled(first, *waiting, newcomer) == [True] * 5 + [False]


async def test_who_gives_up_leaves_the_queue(work: Work) -> None:
    first = await work.occupy("ann")
    [*waiting, gone] = await work.add("ann 1", "ann 2", "ann 3", "ann 4")
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    waiting += await work.add("bob 1", "cid 1")  # in the place that is free, and in ann's
    work.release()
    assert await settled(first, *waiting) == [True, True, True, False, True, True]
    assert work.done == ["ann 1", "bob 1", "cid 1", "ann 2"]


async def test_what_is_under_way_keeps_its_thread_whoever_gives_up(work: Work) -> None:
    first = await work.occupy("ann")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    waiting = await work.add(*(f"ann {number}" for number in range(1, 6)))
    await asyncio.wait(waiting[4:])
    work.release()
    assert await settled(*waiting) == [True] * 4 + [False]


async def test_who_is_gone_leaves_the_queue(work: Work) -> None:
    gone = asyncio.Event()
    first = await work.occupy("ann", gone)
    waiting = await work.add("ann 1", gone=gone)
    gone.set()
    assert await settled(*waiting) == [False]
    work.release()
    assert await settled(first) == [True]  # it had begun
    assert work.done == []


async def test_nobody_waits_for_longer_than_promised() -> None:
    work = Work(longest_wait=0.05)
    first = await work.occupy("ann")
    waiting = await work.add("ann 1")
    assert await settled(*waiting) == [False]  # while the thread goes on
    assert not first.done()
    work.release()
    assert await settled(first, *await work.add("ann 2")) == [True, True]
    assert work.done == ["ann 2"]
    work.threads.close()


async def test_longer_work_than_the_wait_finds_a_free_thread() -> None:
    threads = BoundedThreads("test", 2, longest_wait=1.0, seconds_each=60.0)
    together = threading.Barrier(3)
    both = [asyncio.create_task(threads.run(together.wait, owner)) for owner in ("ann", "bob")]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await threads.run(threading.active_count, "cid")
    await asyncio.to_thread(together.wait, PATIENCE_SECONDS)
    await asyncio.gather(*both)
    threads.close()


async def test_an_error_is_raised_where_the_work_was_ordered(work: Work) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    for _ in range(10):  # the place is free again each time
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(ZeroDivisionError):
                await work.threads.run(fail, "ann")


async def test_closing_drops_what_waits(work: Work) -> None:
    first = await work.occupy("ann")
    waiting = await work.add("ann 1")
    work.threads.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    work.release()
    assert await settled(first) == [True]
    assert work.done == []


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        pytest.param("max 100000", 4, id="none"),
        pytest.param("800000 100000", 4, id="more than there are"),
        pytest.param("300000 100000", 2, id="one for what goes first"),
        pytest.param("350000 100000", 2, id="a part of one"),
        pytest.param("100000 100000", 1, id="one"),
        pytest.param("20000 100000", 1, id="less than one"),
        pytest.param("", 4, id="something else"),
        pytest.param(None, 4, id="no such file"),
    ],
)
def test_a_quota_counts_like_fewer_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str | None, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 4, 6})
    monkeypatch.setattr(module, "OWN_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(module, "CGROUPS", tmp_path)
    (tmp_path / "cgroup").write_text("1:name=systemd:/\n0::/system.slice/plaza.service\n")
    folder = tmp_path / "system.slice" / "plaza.service"
    folder.mkdir(parents=True)
    if quota is not None:
        (folder / "cpu.max").write_text(quota + "\n")
    assert usable_cores() == cores
