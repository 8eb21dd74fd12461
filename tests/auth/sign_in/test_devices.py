"""The cookie of known devices: no other site and no other account takes it from its owner."""

import httpx
import pytest
from fastapi import FastAPI

from src.auth.sign_in.devices import MAX_ACCOUNTS
from src.config import Settings
from tests.auth.support import TOKEN, code
from tests.support import PASSWORD, Accounts

FRONTEND, APP = "https://app.plaza.test", "https://elsewhere.test"
# What says that an answer is for a page of ours, or for no browser at all.
OUR_OWN: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://plaza.test"},
    {"Origin": "http://plaza.test", "Sec-Fetch-Site": "same-origin"},
    {"Origin": FRONTEND, "Sec-Fetch-Site": "same-site"},
]
OTHERS = [
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.plaza.test", "Sec-Fetch-Site": "same-site"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": APP, "Sec-Fetch-Site": "cross-site"},  # may call, but no cookie would come back
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A front end on the site of the server, and one on another."""
    return settings.model_copy(update={"frontend_url": FRONTEND, "cors_origins": [APP]})


async def sign_in(
    client: httpx.AsyncClient,
    username: str,
    device: str | None = None,
    password: str = PASSWORD,
    **headers: str,
) -> httpx.Response:
    if device is not None:
        headers["Cookie"] = f"plaza_device={device}"
    form = {"username": username, "password": password}
    return await client.post(TOKEN, data=form, headers=headers)


async def device_of(client: httpx.AsyncClient, username: str, device: str | None = None) -> str:
    """The cookie after a sign-in."""
    return (await sign_in(client, username, device)).cookies["plaza_device"]


async def lock_out(client: httpx.AsyncClient, settings: Settings, username: str) -> None:
    """Guess until the owner would have to wait."""
    for _ in range(settings.failures_per_pair):
        await sign_in(client, username, password="wrong horse")
    assert code(await sign_in(client, username)) == (429, "too_many_failures")


async def test_only_pages_of_ours_get_the_cookie(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    for headers in OUR_OWN:
        assert "plaza_device" in (await sign_in(client, "ann", **headers)).cookies, headers
    for headers in OTHERS:
        answer = await sign_in(client, "ann", **headers)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers, headers


async def test_the_cookie_counts_for_pages_of_ours_only(
    client: httpx.AsyncClient, accounts: Accounts, settings: Settings
) -> None:
    await accounts.add("ann")
    device = await device_of(client, "ann")
    await lock_out(client, settings, "ann")
    for headers in OTHERS:
        answer = await sign_in(client, "ann", device, **headers)
        assert code(answer) == (429, "too_many_failures"), headers
    for headers in OUR_OWN:
        assert (await sign_in(client, "ann", device, **headers)).status_code == 200


async def test_a_device_stays_known_to_each_of_its_accounts(
    client: httpx.AsyncClient, accounts: Accounts, settings: Settings
) -> None:
    for username in ("ann", "eve", "bob"):
        await accounts.add(username)
    device = await device_of(client, "ann")
    for username in ("eve", "bob", "eve", "bob"):
        device = await device_of(client, username, device)
    assert device.count(".") == 2  # a token an account
    for username in ("ann", "eve", "bob"):
        await lock_out(client, settings, username)
        assert (await sign_in(client, username, device)).status_code == 200


async def test_a_device_knows_a_few_accounts_the_latest_ones(
    client: httpx.AsyncClient, accounts: Accounts, app: FastAPI
) -> None:
    devices = [""]
    for number in range(MAX_ACCOUNTS + 1):
        await accounts.add(f"user{number}")
        devices.append(await device_of(client, f"user{number}", devices[-1]))
    *_, before, latest = (device.split(".") for device in devices)
    assert len(latest) == len(before) == MAX_ACCOUNTS
    assert latest[1:] == before[:-1]


@pytest.mark.parametrize("sent", ["", ".", "x", "a.b.c", "." * 5000, "A" * 70, "A" * 3000])
async def test_what_is_no_token_is_forgotten(
    client: httpx.AsyncClient, accounts: Accounts, sent: str
) -> None:
    await accounts.add("ann")
    device = await device_of(client, "ann", sent)
    assert len(device.replace("A" * 70, "").strip(".")) == 70
