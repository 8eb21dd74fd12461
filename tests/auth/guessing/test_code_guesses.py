"""Who knows a password gains no guesses at the second factor by what they have collected before."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from ipaddress import ip_network
from itertools import cycle

import httpx
import pytest

from src.config import Settings
from tests.account.support import NEW_PASSWORD, change_password, forgot, reset
from tests.auth.mfa.phone import MFA_GRANT, RECOVERY_CODES, TOTP, Phone, enable, mfa_token
from tests.auth.support import TOKEN, code, pair
from tests.support import PASSWORD, Account, Accounts, FrozenClock, Inbox

FREE = 5
WRONG, WAIT = (400, "invalid_code"), (429, "too_many_failures")
Change = Callable[[Account, Phone, list[str]], Awaitable[httpx.Response]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A proxy tells addresses, and a slow machine turns nobody away."""
    return settings.model_copy(
        update={
            "trusted_proxies": [ip_network("127.0.0.1/32")],
            "password_wait_seconds": 60.0,
            "database_wait_seconds": 60.0,
        }
    )


async def sign_in(
    client: httpx.AsyncClient, device: str | None = None, address: str = "192.0.2.1", **form: str
) -> httpx.Response:
    """Sign in as Ann from somewhere, perhaps with a device cookie."""
    headers = {"X-Forwarded-For": address}
    if device:
        headers["Cookie"] = f"plaza_device={device}"
    form = {"username": "ann", "password": PASSWORD} | form
    return await client.post(TOKEN, data=form, headers=headers)


async def known_device(client: httpx.AsyncClient, **form: str) -> str:
    """The cookie of a new device that signs in."""
    answer = await sign_in(client, **form)
    pair(answer)
    return answer.cookies["plaza_device"]


async def is_known(client: httpx.AsyncClient, device: str, password: str = PASSWORD) -> bool:
    """Whether a device is counted on its own, while others have to wait."""
    while code(await sign_in(client, password="wrong horse")) != WAIT:
        pass
    right = await sign_in(client, device, password=password)
    return right.status_code == 200 or code(right) != WAIT


async def test_twenty_devices_from_before_and_all_names_share_the_free_guesses(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    devices = [await known_device(client) for _ in range(20)]
    phone, _ = await enable(client, ann, clock)
    token = await mfa_token(client, "ann")
    wrong, recovery = phone.wrong_code(), "abcd-efgh-ijkl-mnop"
    names, codes = cycle(["ann", "ann@x.test", "ANN"]), cycle([wrong, recovery])
    guesses = []
    for number, device in enumerate(devices * 5):
        address = f"203.0.113.{number}"
        form = {"username": next(names), "code": next(codes)}
        if number % 2:
            form |= {"grant_type": MFA_GRANT, "mfa_token": token}
        guesses.append(sign_in(client, device, address, **form))
    proof = {"current_password": PASSWORD, "code": wrong}
    for _ in range(10):
        guesses.append(client.request("DELETE", TOTP, json=proof, headers=ann.headers))
        guesses.append(client.post(RECOVERY_CODES, json=proof, headers=ann.headers))
    outcomes = Counter(code(answer) for answer in await asyncio.gather(*guesses))
    assert outcomes == {WRONG: FREE, WAIT: 120 - FREE}


async def test_a_sign_in_in_two_steps_does_not_tell_which_username_the_address_has(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, accounts: Accounts
) -> None:
    _, recovery_codes = await enable(client, ann, clock)
    await accounts.add("bob")
    for name in ("ann@x.test", "ann", "bob"):
        while code(await sign_in(client, username=name, password="wrong horse")) != WAIT:
            pass
    clock.advance(timedelta(minutes=20))
    token = (await sign_in(client, username="ann@x.test")).json()["mfa_token"]
    pair(await sign_in(client, grant_type=MFA_GRANT, mfa_token=token, code=recovery_codes[0]))
    wrong = {"password": "wrong horse"}
    assert code(await sign_in(client, username="ann@x.test", **wrong)) == (400, "invalid_grant")
    for name in ("ann", "bob"):
        assert code(await sign_in(client, username=name, **wrong)) == (400, "invalid_grant")
        assert code(await sign_in(client, username=name, **wrong)) == WAIT
    assert code(await sign_in(client, username="ann@x.test", **wrong)) == (400, "invalid_grant")


async def test_all_known_devices_count_as_one(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    phone, recovery_codes = await enable(client, ann, clock)
    devices = [await known_device(client, code=each) for each in recovery_codes[:8]]
    guesses = (sign_in(client, device, code=phone.wrong_code()) for device in devices * 5)
    outcomes = Counter(code(answer) for answer in await asyncio.gather(*guesses))
    assert outcomes == {WRONG: FREE, WAIT: 8 * 5 - FREE}
    assert code(await sign_in(client, devices[0], code=recovery_codes[8])) == WAIT


async def test_the_owner_gets_in_on_their_device_while_a_thief_of_the_password_waits(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    phone, recovery_codes = await enable(client, ann, clock)
    device = await known_device(client, code=recovery_codes[0])
    for _ in range(FREE):
        assert code(await sign_in(client, code=phone.wrong_code())) == WRONG
    assert code(await sign_in(client, code=recovery_codes[1])) == WAIT
    pair(await sign_in(client, device, code=recovery_codes[1]))
    assert code(await sign_in(client, code=recovery_codes[2])) == WAIT  # which helps nobody else


class TestWhatEndsKnownDevices:
    """Turning the second factor on, off or over, and another password."""

    async def test_turning_it_on(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        device = await known_device(client)
        await enable(client, ann, clock)
        assert not await is_known(client, device)

    async def test_it_is_known_again_once_it_has_shown_a_code(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        _, recovery_codes = await enable(client, ann, clock)
        assert await is_known(client, await known_device(client, code=recovery_codes[0]))

    @pytest.mark.parametrize("change", ["off", "new recovery codes", "removed", "password"])
    async def test_a_change(
        self,
        client: httpx.AsyncClient,
        accounts: Accounts,
        ann: Account,
        clock: FrozenClock,
        change: str,
    ) -> None:
        _, recovery_codes = await enable(client, ann, clock)
        device = await known_device(client, code=recovery_codes[0])
        proof = {"current_password": PASSWORD, "code": recovery_codes[1]}
        if change == "off":
            answer = await client.request("DELETE", TOTP, json=proof, headers=ann.headers)
        elif change == "new recovery codes":
            answer = await client.post(RECOVERY_CODES, json=proof, headers=ann.headers)
        elif change == "removed":
            await accounts.add("root", roles=("admin",))
            root = await accounts.sign_in("root")
            answer = await client.delete(f"/api/v1/users/{ann.id}/mfa", headers=root.headers)
        else:
            answer = await change_password(client, ann)
        assert answer.status_code in {200, 204}, answer.text
        password = NEW_PASSWORD if change == "password" else PASSWORD
        assert not await is_known(client, device, password)

    async def test_a_reset(self, client: httpx.AsyncClient, ann: Account, inbox: Inbox) -> None:
        device = await known_device(client)
        await inbox.mails("ann@x.test", 1)  # about the device
        await forgot(client, "ann@x.test")
        assert (await reset(client, await inbox.token("ann@x.test", 2))).status_code == 204
        assert not await is_known(client, device, NEW_PASSWORD)

    async def test_an_address_or_a_name_does_not(
        self, client: httpx.AsyncClient, ann: Account
    ) -> None:
        device = await known_device(client)
        renamed = await client.patch(
            "/api/v1/users/me", json={"display_name": "Ann B."}, headers=ann.headers
        )
        assert renamed.status_code == 200
        assert await is_known(client, device)
