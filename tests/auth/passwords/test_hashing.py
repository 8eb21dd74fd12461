"""Hashing is slow on purpose: it must neither pile up nor stop the rest."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from passlib.context import CryptContext
from passlib.hash import bcrypt

from src.auth.passwords.hashing import PasswordHasher
from src.config import Settings
from src.exceptions import OverloadedError
from tests.auth.support import ONE_REQUEST_ID, REGISTER, code, confirm, register, sign_in
from tests.support import PASSWORD, Accounts, Inbox

PROFILE = "/api/v1/users/ann"
WAIT = 0.4
LOWER_COST = CryptContext(["bcrypt_sha256"], bcrypt_sha256__rounds=4)


async def post(client: httpx.AsyncClient, number: int) -> httpx.Response:
    """Register one of several addresses."""
    body = {"email": f"new{number}@x.test", "password": PASSWORD}
    return await client.post(REGISTER, json=body, headers=ONE_REQUEST_ID)


class TestFullQueue:
    """One thread, and one place to wait."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        queue = {"password_threads": 1, "password_queue": 1, "bcrypt_rounds": 10}
        return settings.model_copy(update=queue)

    @pytest.mark.parametrize("kind", ["known", "unknown", "register"])
    async def test_past_its_bound_one_is_told_when_to_come_again(
        self, client: httpx.AsyncClient, accounts: Accounts, kind: str
    ) -> None:
        await accounts.add("ann")
        if kind == "register":
            requests = [post(client, number) for number in range(8)]
        else:
            login = "ann" if kind == "known" else "nobody"
            requests = [sign_in(client, login) for _ in range(8)]
        answers = await asyncio.gather(*requests)
        refused = [answer for answer in answers if answer.status_code == 503]
        served = {answer.status_code for answer in answers if answer.status_code != 503}
        assert 1 <= len(refused) <= 6
        assert served == {{"known": 200, "unknown": 400, "register": 202}[kind]}
        for answer in refused:
            assert code(answer) == (503, "overloaded")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert answer.headers["cache-control"] == "no-store"
        assert (await sign_in(client, "ann")).status_code == 200  # it recovers


class TestOneConnection:
    """One connection for writes and one for reads, waited for less than the hashes take."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        pools = {"database_pool_size": 1, "read_pool_size": 1, "database_wait_seconds": WAIT}
        return settings.model_copy(update=pools | {"bcrypt_rounds": 11})

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


@pytest.fixture
def hasher(tmp_path: Path) -> Iterator[PasswordHasher]:
    """A hasher without an application."""
    hasher = PasswordHasher(
        Settings(_env_file=None, environment="test", data_dir=tmp_path, bcrypt_rounds=4)
    )
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
    hasher = PasswordHasher(
        Settings(_env_file=None, environment="test", data_dir=tmp_path, bcrypt_rounds=9)
    )

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
    assert threading.current_thread().name not in threads
    assert len(threads) == 1


async def test_a_caller_who_gives_up_frees_his_place(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None,
        environment="test",
        data_dir=tmp_path,
        bcrypt_rounds=10,
        password_queue=1,
    )
    hasher = PasswordHasher(settings)
    waiting = [asyncio.create_task(hasher.hash(PASSWORD)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await hasher.hash(PASSWORD)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    stored = await hasher.hash(PASSWORD)
    assert (await hasher.verify(PASSWORD, stored))[0]
    hasher.close()
