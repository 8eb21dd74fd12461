"""Hashing is slow on purpose: it must neither pile up nor stop the rest."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from passlib.context import CryptContext
from passlib.hash import bcrypt

from src.auth.passwords import hashing
from src.auth.passwords.hashing import PasswordHasher
from src.config import Settings
from tests.auth.support import ONE_REQUEST_ID, REGISTER, confirm, register, sign_in
from tests.support import PASSWORD, PATIENCE_SECONDS, Accounts, Inbox

PROFILE = "/api/v1/users/ann"
WAIT = 0.4
LOWER_COST = CryptContext(["bcrypt_sha256"], bcrypt_sha256__rounds=4)


async def post(client: httpx.AsyncClient, number: int) -> httpx.Response:
    """Register one of several addresses."""
    body = {"email": f"new{number}@x.test", "password": PASSWORD}
    return await client.post(REGISTER, json=body, headers=ONE_REQUEST_ID)


class TestOneConnection:
    """One connection for writes and one for reads, waited for less than the hashes take."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        pools = {"database_pool_size": 1, "read_pool_size": 1, "database_wait_seconds": WAIT}
        hashes = {"bcrypt_rounds": 11, "password_threads": 1, "password_wait_seconds": 60.0}
        return settings.model_copy(update=pools | hashes)

    async def test_no_connection_is_held_while_hashing(
        self, client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
    ) -> None:
        await accounts.add("ann")
        await register(client, "bob@x.test")
        token = await inbox.token("bob@x.test")
        started = time.monotonic()
        slow = [
            asyncio.create_task(request)
            for request in (
                *(post(client, number) for number in range(5)),
                *(sign_in(client, "ann") for _ in range(4)),
                sign_in(client, "nobody"),
                confirm(client, token, password=PASSWORD),
            )
        ]
        reads = 0
        while not all(task.done() for task in slow):
            assert (await client.get(PROFILE)).status_code == 200
            reads += 1
            await asyncio.sleep(0.02)
        statuses = [task.result().status_code for task in slow]
        assert statuses == [202] * 5 + [200] * 4 + [400, 204]
        assert time.monotonic() - started > 1.5 * WAIT  # or the test would prove nothing
        assert reads > 10


def hasher_with(tmp_path: Path, **settings: Any) -> PasswordHasher:
    """A hasher without an application, at the lowest cost unless told otherwise."""
    cheap = Settings(_env_file=None, environment="test", data_dir=tmp_path, bcrypt_rounds=4)
    return PasswordHasher(cheap.model_copy(update=settings))


@pytest.fixture
def hasher(tmp_path: Path) -> Iterator[PasswordHasher]:
    """A hasher without an application."""
    hasher = hasher_with(tmp_path)
    yield hasher
    hasher.close()


async def test_a_hash_verifies_its_password_alone(hasher: PasswordHasher) -> None:
    stored = await hasher.hash(PASSWORD)
    assert PASSWORD not in stored
    assert stored != await hasher.hash(PASSWORD)  # salted
    assert await hasher.verify(PASSWORD, stored) == (True, None)
    assert await hasher.verify(PASSWORD + "x", stored) == (False, None)
    assert (await hasher.verify(PASSWORD, None))[0] is False


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        pytest.param(LOWER_COST.hash(PASSWORD), "wrong horse", id="lower cost"),
        pytest.param(bcrypt.using(rounds=4).hash(PASSWORD), "wrong horse", id="plain bcrypt"),
        pytest.param(bcrypt.using(rounds=4).hash(PASSWORD), "x" * 80, id="too long for it"),
        pytest.param("!", "wrong horse", id="malformed"),
    ],
)
def test_the_time_does_not_tell_that_a_hash_is_old(
    tmp_path: Path, stored: str, password: str
) -> None:
    hasher = hasher_with(tmp_path, bcrypt_rounds=9)

    def cpu_seconds(known: str) -> float:
        started_at = time.thread_time()
        assert hasher._verify(password, known) == (False, None)
        return time.thread_time() - started_at

    unknown = min(cpu_seconds(hasher._hash_of_nobody) for _ in range(3))
    old = min(cpu_seconds(stored) for _ in range(3))
    hasher.close()
    assert 0.7 < old / unknown < 1.5  # a sixteenth, or nothing at all, without care


async def test_the_event_loop_runs_on_meanwhile(hasher: PasswordHasher) -> None:
    threads: set[str] = set()
    original = hasher._verify

    def verify(password: str, stored: str) -> tuple[bool, str | None]:
        threads.add(threading.current_thread().name)
        return original(password, stored)

    hasher._verify = verify  # type: ignore[method-assign]
    await asyncio.gather(*(hasher.verify(PASSWORD, None) for _ in range(5)))
    assert all(name.startswith("password") for name in threads), threads


@pytest.mark.parametrize("given", [3, None])
async def test_as_many_at_once_as_there_are_cores_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: int | None
) -> None:
    monkeypatch.setattr(hashing, "usable_cores", lambda: 3)
    hasher = hasher_with(tmp_path, password_threads=given)
    together = threading.Barrier(3, timeout=PATIENCE_SECONDS)

    def verify(*_: str) -> tuple[bool, None]:
        together.wait()
        return True, None

    monkeypatch.setattr(hasher, "_verify", verify)
    await asyncio.gather(*(hasher.verify(PASSWORD, None) for _ in range(3)))
    hasher.close()


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no priority of its own")
@pytest.mark.parametrize("refused", [False, True])
async def test_whatever_else_runs_goes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, refused: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    if refused:  # as some containers do
        monkeypatch.setattr(os, "sched_setscheduler", refuse)
    hasher = hasher_with(tmp_path)
    policy, niceness = await hasher._threads.run(
        lambda: (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)), "ann"
    )
    assert niceness == 19
    assert policy == (os.SCHED_OTHER if refused else os.SCHED_IDLE)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER  # of the event loop
    hasher.close()


def test_the_queue_is_as_long_as_hashes_are_fast(tmp_path: Path) -> None:
    """Measured, so whatever the machine: a cost of four more takes sixteen times as long."""

    def room(rounds: int, threads: int = 1, wait: float = 10.0) -> int:
        hasher = hasher_with(
            tmp_path, bcrypt_rounds=rounds, password_threads=threads, password_wait_seconds=wait
        )
        hasher.close()
        return hasher._threads._capacity

    assert 8 < room(6) / room(10) < 32
    assert 8 < room(10, threads=16) / room(10) < 32
    assert room(10, wait=0.001) == 1
