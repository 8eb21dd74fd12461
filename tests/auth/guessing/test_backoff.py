"""Wrong passwords in a row: who has to wait, for how long, and who does not."""

import asyncio
from datetime import timedelta
from ipaddress import ip_network
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Delete, Executable, update

from src.auth.exceptions import TooManyFailuresError
from src.auth.guessing.backoff import LEAK, Backoff, Guesser
from src.auth.passwords import hashing
from src.auth.passwords.hashing import PasswordHasher
from src.config import Settings
from src.database import Database
from src.sql.session import DatabaseSession
from src.users.models import User
from tests.auth.support import ONE_REQUEST_ID, TOKEN, change, code, pair, rows, seen, whoami
from tests.support import PASSWORD, Accounts, FrozenClock, all_wait

WRONG, LATE = "wrong horse battery", "late horse battery"
PER_PAIR, PER_ACCOUNT, PER_ADDRESS = 3, 6, 10
LONGEST = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
REFUSED = (400, "invalid_grant")
WAIT = (429, "too_many_failures")
DEVICE = "plaza_device"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Few free failures, and a proxy that tells addresses."""
    return settings.model_copy(
        update={
            "failures_per_pair": PER_PAIR,
            "failures_per_account": PER_ACCOUNT,
            "failures_per_address": PER_ADDRESS,
            "longest_backoff": LONGEST,
            "trusted_proxies": [ip_network("127.0.0.1/32")],
        }
    )


async def guess(
    client: httpx.AsyncClient,
    login: str,
    password: str = WRONG,
    *,
    address: str = "203.0.113.1",
    device: str | None = None,
) -> httpx.Response:
    """Try a password from an address, perhaps with a device cookie."""
    headers = {"X-Forwarded-For": address} | ONE_REQUEST_ID
    if device:
        headers["Cookie"] = f"{DEVICE}={device}"
    form = {"username": login, "password": password}
    return await client.post(TOKEN, data=form, headers=headers)


async def fail(
    client: httpx.AsyncClient, login: str, times: int, *, address: str = "203.0.113.1"
) -> None:
    """Guess wrong, without having to wait."""
    for _ in range(times):
        assert code(await guess(client, login, address=address)) == REFUSED


def wait_of(answer: httpx.Response) -> int:
    """For how many seconds an answer says to wait."""
    assert code(answer) == WAIT
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["retry-after"])


async def device_of(client: httpx.AsyncClient, login: str, address: str = "192.0.2.1") -> str:
    """What a device that signs in gets."""
    answer = await guess(client, login, PASSWORD, address=address)
    pair(answer)
    return answer.cookies[DEVICE]


@pytest.fixture(autouse=True)
async def people(accounts: Accounts) -> None:
    """Ann and Bob; Dis is disabled."""
    await accounts.add("ann")
    await accounts.add("bob")
    await accounts.add("dis", active=False)


async def test_after_the_free_ones_the_right_password_has_to_wait_too(
    client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await fail(client, "ann", PER_PAIR)
    assert wait_of(await guess(client, "ann")) == 1
    assert wait_of(await guess(client, "ann", PASSWORD)) == 1
    clock.advance(SECOND / 2)
    assert wait_of(await guess(client, "ann", PASSWORD)) == 1
    clock.advance(SECOND / 2)
    pair(await guess(client, "ann", PASSWORD))


async def test_waiting_doubles_up_to_the_longest(
    client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await fail(client, "ann", PER_PAIR)
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60, 60):
        assert wait_of(await guess(client, "ann", PASSWORD)) == seconds
        clock.advance(timedelta(seconds=seconds) - SECOND)
        assert wait_of(await guess(client, "ann")) == 1
        clock.advance(SECOND)
        assert code(await guess(client, "ann")) == REFUSED
    clock.advance(LONGEST)
    pair(await guess(client, "ann", PASSWORD))


async def test_asking_while_one_has_to_wait_makes_it_no_longer(
    client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await fail(client, "ann", PER_PAIR)
    for _ in range(10):
        assert wait_of(await guess(client, "ann")) == 1
    clock.advance(SECOND)
    pair(await guess(client, "ann", PASSWORD))


async def test_success_clears(client: httpx.AsyncClient) -> None:
    for _ in range(3):
        await fail(client, "ann", PER_PAIR - 1)
        pair(await guess(client, "ann", PASSWORD))


async def test_after_a_day_all_is_forgotten(client: httpx.AsyncClient, clock: FrozenClock) -> None:
    await fail(client, "ann", PER_PAIR)
    clock.advance(timedelta(days=1))
    await fail(client, "ann", PER_PAIR)


async def test_the_networks_of_one_customer_are_counted_together(
    client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    for number in range(4 * PER_ADDRESS):
        address = f"2001:db8:1:{number:x}::1"
        await fail(client, f"nobody-{number}", 1, address=address)
    assert wait_of(await guess(client, "ann", PASSWORD, address="2001:db8:1:ff::1")) == 1
    pair(await guess(client, "bob", PASSWORD, address="2001:db8:1:100::1"))
    clock.advance(LEAK / 4)
    await fail(client, "nobody", 1, address="2001:db8:1:fe::1")
    assert wait_of(await guess(client, "ann", PASSWORD, address="2001:db8:1:ff::1")) == 1


async def test_one_account_is_counted_over_many_addresses(
    client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    for number in range(PER_ACCOUNT):
        await fail(client, "ann", 1, address=f"203.0.113.{number}")
    assert wait_of(await guess(client, "ann", address="203.0.113.99")) == 1
    assert wait_of(await guess(client, "ann", PASSWORD, address="203.0.113.99")) == 1
    pair(await guess(client, "bob", PASSWORD, address="203.0.113.99"))
    clock.advance(SECOND)
    pair(await guess(client, "ann", PASSWORD, address="203.0.113.99"))
    await fail(client, "ann", 1, address="203.0.113.98")


async def test_one_address_is_counted_over_many_accounts(
    client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    for number in range(PER_ADDRESS):
        await fail(client, f"user-{number}", 1)
    assert wait_of(await guess(client, "bob")) == 1
    assert wait_of(await guess(client, "bob", PASSWORD)) == 1
    pair(await guess(client, "bob", PASSWORD, address="203.0.113.2"))


async def test_signing_in_to_ones_own_account_does_not_clear_the_address(
    client: httpx.AsyncClient,
) -> None:
    for number in range(PER_ADDRESS):
        pair(await guess(client, "bob", PASSWORD))
        await fail(client, f"user-{number}", 1)
    assert wait_of(await guess(client, "bob", PASSWORD)) == 1


async def test_an_address_where_people_mistype_now_and_then_does_not_wait(
    client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    for number in range(4 * PER_ADDRESS):
        await fail(client, f"user-{number}", 1)
        clock.advance(timedelta(minutes=1))
    pair(await guess(client, "bob", PASSWORD))


async def test_an_address_whose_failures_leak_still_waits_when_they_come_fast(
    client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    for number in range(PER_ADDRESS):
        await fail(client, f"user-{number}", 1)
    clock.advance(timedelta(minutes=2))
    await fail(client, "ghost-1", 1)
    await fail(client, "ghost-2", 1)
    assert wait_of(await guess(client, "bob", PASSWORD)) == 1


async def test_addresses_of_one_ipv6_customer_count_as_one(client: httpx.AsyncClient) -> None:
    for number in range(PER_PAIR):
        await fail(client, "ann", 1, address=f"2001:db8:1:2::{number}")
    assert wait_of(await guess(client, "ann", address="2001:db8:1:2:ffff::1")) == 1
    await fail(client, "ann", 1, address="2001:db8:1:3::1")


async def test_a_made_up_header_does_not_evade(client: httpx.AsyncClient) -> None:
    for number in range(PER_PAIR):
        await fail(client, "ann", 1, address=f"198.51.100.{number}, 203.0.113.1")
    assert wait_of(await guess(client, "ann", address="198.51.100.99, 203.0.113.1")) == 1


class TestWithoutProxies:
    """TRUSTED_PROXIES is not set: the header says nothing."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"trusted_proxies": []})

    async def test_a_made_up_header_does_not_evade(self, client: httpx.AsyncClient) -> None:
        for number in range(PER_PAIR):
            await fail(client, "ann", 1, address=f"198.51.100.{number}")
        assert wait_of(await guess(client, "ann", PASSWORD, address="198.51.100.99")) == 1


class TestKnownDevices:
    """A device that has signed in to the account before (OWASP: device cookies)."""

    async def test_it_gets_in_while_others_wait(self, client: httpx.AsyncClient) -> None:
        device = await device_of(client, "ann")
        await fail(client, "ann", PER_PAIR)
        assert wait_of(await guess(client, "ann", PASSWORD)) == 1
        pair(await guess(client, "ann", PASSWORD, device=device))
        assert wait_of(await guess(client, "ann", PASSWORD)) == 1  # which helps nobody else

    async def test_it_has_a_count_of_its_own(
        self, client: httpx.AsyncClient, clock: FrozenClock
    ) -> None:
        device = await device_of(client, "ann")
        for number in range(PER_PAIR):
            answer = await guess(client, "ann", device=device, address=f"203.0.113.{number}")
            assert code(answer) == REFUSED
        assert wait_of(await guess(client, "ann", PASSWORD, device=device)) == 1
        pair(await guess(client, "ann", PASSWORD))
        assert wait_of(await guess(client, "ann", PASSWORD, device=device)) == 1
        clock.advance(SECOND)
        pair(await guess(client, "ann", PASSWORD, device=device))
        assert code(await guess(client, "ann", device=device)) == REFUSED

    async def test_another_users_is_worth_nothing(self, client: httpx.AsyncClient) -> None:
        device = await device_of(client, "bob")
        for _ in range(PER_PAIR):
            assert code(await guess(client, "ann", device=device)) == REFUSED
        assert wait_of(await guess(client, "ann", PASSWORD, device=device)) == 1
        assert wait_of(await guess(client, "ann", PASSWORD)) == 1

    async def test_a_forged_one_is_worth_nothing(self, client: httpx.AsyncClient) -> None:
        device = await device_of(client, "ann")
        await fail(client, "ann", PER_PAIR)
        last = "A" if device[-1] != "A" else "E"
        for forged in (device[:-1] + last, "A" * 70, "x", "", r'"\377"', device * 2, device + "="):
            answer = await guess(client, "ann", PASSWORD, device=forged)
            assert wait_of(answer) == 1, forged

    async def test_it_is_known_for_a_year_after_its_last_sign_in(
        self, client: httpx.AsyncClient, clock: FrozenClock
    ) -> None:
        first = await device_of(client, "ann")
        clock.advance(timedelta(days=364))
        renewed = (await guess(client, "ann", PASSWORD, device=first)).cookies[DEVICE]
        clock.advance(timedelta(days=1))
        await fail(client, "ann", PER_PAIR)
        assert wait_of(await guess(client, "ann", PASSWORD, device=first)) == 1
        pair(await guess(client, "ann", PASSWORD, device=renewed))


class TestSideBySide:
    """Guesses at once get no more than one after the other."""

    @pytest.fixture
    def settings(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
        # Other tests would starve what has the lowest priority.
        monkeypatch.setattr(hashing, "_yield_the_processor", lambda: None)
        # So that a guess takes longer than to count it, as it does in production.
        slow = {"bcrypt_rounds": 8, "database_pool_size": 20, "password_wait_seconds": 60.0}
        return settings.model_copy(update=slow)

    async def test_of_forty_only_the_free_ones_are_decided(self, client: httpx.AsyncClient) -> None:
        passwords = [WRONG] * 40
        passwords[30] = PASSWORD
        answers = await asyncio.gather(*(guess(client, "ann", each) for each in passwords))
        outcomes = [code(answer) for answer in answers]
        assert outcomes.count(REFUSED) == PER_PAIR
        assert outcomes.count(WAIT) == 40 - PER_PAIR
        assert outcomes[30] == WAIT

    async def test_twenty_right_ones_all_get_in(
        self, client: httpx.AsyncClient, app: FastAPI
    ) -> None:
        await fail(client, "ann", PER_PAIR - 1)
        guesses = (guess(client, "ann", PASSWORD) for _ in range(20))
        accesses = {pair(answer)[0] for answer in await asyncio.gather(*guesses)}
        assert len(accesses) == 20
        for access in accesses:
            assert (await whoami(client, access)).status_code == 200
        succeeded = "SELECT count(*) FROM audit_log WHERE action = 'sign_in.succeeded'"
        assert await rows(app, succeeded) == [20]

    async def test_many_people_of_one_office_at_once(
        self, client: httpx.AsyncClient, accounts: Accounts
    ) -> None:
        names = [f"user-{number}" for number in range(8)]
        for name in names:
            await accounts.add(name)
        rounds = [(name, password) for password in (WRONG, PASSWORD) for name in names]
        answers = await asyncio.gather(*(guess(client, *each) for each in rounds))
        assert [answer.status_code for answer in answers] == [400] * 8 + [200] * 8


class TestOvertaken:
    """Guesses that were let through, but are decided after others."""

    @pytest.fixture
    def both_late(self, monkeypatch: pytest.MonkeyPatch) -> asyncio.Barrier:
        """Where the right password and a wrong one wait twice for a third: to begin, and to end."""
        both = asyncio.Barrier(3)
        verify = PasswordHasher.verify

        async def verify_in_turn(
            hasher: PasswordHasher, password: str, stored: str | None
        ) -> tuple[bool, str | None]:
            if password in {PASSWORD, LATE}:
                await both.wait()
                await both.wait()
            return await verify(hasher, password, stored)

        monkeypatch.setattr(PasswordHasher, "verify", verify_in_turn)
        return both

    @pytest.mark.parametrize("login", ["ann", "new", "two"])
    async def test_the_right_one_looks_like_a_wrong_one(
        self,
        client: httpx.AsyncClient,
        app: FastAPI,
        accounts: Accounts,
        clock: FrozenClock,
        both_late: asyncio.Barrier,
        login: str,
    ) -> None:
        await accounts.add("new", confirmed=False)
        await accounts.add("two")
        await change(app, update(User).where(User.username == "two").values(mfa_enabled=True))
        await fail(client, login, PER_PAIR)
        for seconds in (1, 2, 4):
            clock.advance(timedelta(seconds=seconds))
            await fail(client, login, 1)
        clock.advance(timedelta(seconds=8))
        late = [asyncio.create_task(guess(client, login, each)) for each in (PASSWORD, LATE)]
        await both_late.wait()  # they were let through
        await fail(client, login, 1)
        await both_late.wait()
        right, wrong = await asyncio.gather(*late)
        assert wait_of(right) == 16
        assert seen(right) == seen(wrong)


class TestSmallPool:
    """More guesses than connections."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(
            update={"database_pool_size": 2, "read_pool_size": 2, "database_wait_seconds": 3.0}
        )

    async def test_nobody_waits_for_a_connection_while_holding_one(
        self, client: httpx.AsyncClient
    ) -> None:
        passwords = [WRONG, PASSWORD] * 10
        answers = await asyncio.gather(*(guess(client, "ann", each) for each in passwords))
        assert {answer.status_code for answer in answers} <= {200, 400, 429}


class TestWhoExists:
    """The unknown, the known and the disabled are told the same, the 429 included."""

    async def test_every_answer_is_the_same(
        self, client: httpx.AsyncClient, clock: FrozenClock
    ) -> None:
        logins = ("ann", "ann@x.test", "dis", "dis@x.test", "ghost", "ghost@x.test", "no@b@x.test")
        histories = []
        for number, login in enumerate(logins):
            answers = []
            for seconds in (0, 0, 0, 0, 1, 0, 2, 0, 4, 0, 0):
                clock.advance(timedelta(seconds=seconds))
                answers.append(seen(await guess(client, login, address=f"198.51.100.{number}")))
            histories.append(answers)
            clock.advance(timedelta(days=1))
        assert all(history == histories[0] for history in histories)
        assert [status for status, *_ in histories[0]] == [400] * 3 + [429, 400] * 3 + [429] * 2

    @pytest.mark.parametrize(
        "logins",
        [
            ("ann", " Ann ", "ANN"),
            ("ann@x.test", "Ann@X.Test", " ann@x.test "),
            ("ann@x.test", "ann@\uff38.test", "ANN@x.TEST"),
            ("ghost@x.test", "Ghost@X.Test", " ghost@x.test "),
            ("ghost@x.test", "ghost@\uff38.test", "GHOST@x.TEST"),
            ("ghost", "GHOST", " ghost "),
        ],
    )
    async def test_every_writing_of_a_login_counts_as_one(
        self, client: httpx.AsyncClient, logins: tuple[str, str, str]
    ) -> None:
        for login in logins:
            await fail(client, login, 1)
        for login in logins:
            assert wait_of(await guess(client, login)) == 1

    async def test_a_count_does_not_tell_whose_address_it_is(
        self, client: httpx.AsyncClient
    ) -> None:
        await fail(client, "ann", PER_PAIR)
        assert wait_of(await guess(client, "ann")) == 1
        await fail(client, "ann@x.test", 1)
        await fail(client, "bob@x.test", 1)

    async def test_nobody_is_counted_by_an_id(
        self, client: httpx.AsyncClient, app: FastAPI
    ) -> None:
        [ann] = await rows(app, "SELECT id::text FROM users WHERE username = 'ann'")
        for login in (ann, f"login {ann}", f"account:{ann}"):
            await fail(client, login, PER_PAIR)
        pair(await guess(client, "ann", PASSWORD))


class PausedSession:
    """A session that stops before it deletes, until it may go on."""

    def __init__(self, session: DatabaseSession) -> None:
        self.session = session
        self.stopped, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def execute(self, statement: Executable) -> Any:
        if isinstance(statement, Delete):
            self.stopped.set()
            await self.may_go_on.wait()
        return await self.session.execute(statement)


async def test_a_right_guess_waits_for_nobody_who_waits_for_it(
    app: FastAPI, settings: Settings, clock: FrozenClock
) -> None:
    database: Database = app.state.database
    backoff = Backoff(database, settings, clock)
    # Locked in the order of their keys: the account first.
    account, here = sorted((Guesser("one", 5), Guesser("other", 5)), key=lambda each: each.key)

    async def failed(*guessers: Guesser) -> None:
        async with database.independent_transaction() as session:
            await backoff.failed(session, guessers)

    await failed(here)
    async with database.independent_transaction() as session:
        paused = PausedSession(session)
        right = asyncio.create_task(
            backoff.succeeded(cast("DatabaseSession", paused), [account, here])
        )
        await paused.stopped.wait()
        await failed(account)  # from elsewhere
        wrong = asyncio.create_task(failed(account, here))
        await all_wait(app, 1)
        paused.may_go_on.set()
        await right
    await wrong


async def test_a_right_guess_waits_for_wrong_ones_that_are_being_counted(
    app: FastAPI, settings: Settings, clock: FrozenClock
) -> None:
    database: Database = app.state.database
    backoff = Backoff(database, settings, clock)
    guesser = Guesser("one", 2)

    async def succeed() -> None:
        async with database.independent_transaction() as session:
            await backoff.succeeded(session, [guesser])

    async with database.independent_transaction() as session:
        await backoff.failed(session, [guesser])
    async with database.independent_transaction() as session:
        await backoff.failed(session, [guesser])
        right = asyncio.create_task(succeed())
        await all_wait(app, 1)
    with pytest.raises(TooManyFailuresError):
        await right


async def test_with_another_password_no_device_is_known(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    """A thief's is not, either."""
    device = await device_of(client, "ann")
    await fail(client, "ann", PER_PAIR)
    pair(await guess(client, "ann", PASSWORD, device=device))
    new_hash = await app.state.auth.hasher.hash("another password")
    await change(app, update(User).where(User.username == "ann").values(password_hash=new_hash))
    assert code(await guess(client, "ann", "another password", device=device)) == WAIT
