"""What is remembered of sign-ins: the device cookie, the mail about a new place, the audit log."""

import asyncio
from ipaddress import ip_network

import httpx
import pytest
from fastapi import FastAPI

from src.config import Settings
from tests.auth.support import LOGOUT, TOKEN, code, pair, rows
from tests.support import PASSWORD, START, Accounts, Inbox

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile Safari/6"
HOME, CAFE = "203.0.113.1", "198.51.100.9"
NOTICES = """
    SELECT address || ', ' || device
    FROM audit_log WHERE action = 'sign_in.new_device' ORDER BY at, id
"""
AUDIT = """
    SELECT json_build_array(action, actor_id, user_id, address, device, details)
    FROM audit_log ORDER BY at, id
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A proxy tells addresses."""
    return settings.model_copy(update={"trusted_proxies": [ip_network("127.0.0.1/32")]})


async def sign_in(
    client: httpx.AsyncClient,
    address: str = HOME,
    user_agent: str = FIREFOX,
    *,
    password: str = PASSWORD,
    device: str | None = None,
    login: str = "ann",
) -> httpx.Response:
    """Sign in from somewhere, with something, perhaps with a device cookie."""
    headers = {"X-Forwarded-For": address, "User-Agent": user_agent}
    if device:
        headers["Cookie"] = f"plaza_device={device}"
    form = {"username": login, "password": password}
    return await client.post(TOKEN, data=form, headers=headers)


async def test_the_owner_is_told_about_a_new_place_only(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    first = await sign_in(client)  # the first ever
    pair(await sign_in(client))  # the same address and device
    pair(await sign_in(client, CAFE, PHONE, device=first.cookies["plaza_device"]))  # known
    assert await rows(app, NOTICES) == []
    pair(await sign_in(client, CAFE))
    pair(await sign_in(client, CAFE))
    pair(await sign_in(client, HOME, PHONE))
    assert await rows(app, NOTICES) == [
        f"{CAFE}, Firefox on Linux",
        f"{HOME}, Mobile Safari on iOS",
    ]
    mails = await inbox.mails("ann@x.test", 2)
    assert len(mails) == 2
    assert {mail.subject for mail in mails} == {"New sign-in to your account"}
    assert any(CAFE in mail.text and "Firefox on Linux" in mail.text for mail in mails)


async def test_a_place_stays_known_after_signing_out(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    await accounts.add("ann")
    for _ in range(2):
        access, _ = pair(await sign_in(client))
        await client.post(LOGOUT, headers={"Authorization": f"Bearer {access}"})
    assert await rows(app, NOTICES) == []


async def test_another_users_place_and_device_are_new(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    await accounts.add("ann")
    await accounts.add("bob")
    pair(await sign_in(client, CAFE))
    bobs = await sign_in(client, HOME, login="bob")
    pair(await sign_in(client, HOME, device=bobs.cookies["plaza_device"]))
    assert await rows(app, NOTICES) == [f"{HOME}, Firefox on Linux"]


async def test_many_at_once_from_a_new_place_are_told_once(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    await accounts.add("ann")
    pair(await sign_in(client))
    answers = await asyncio.gather(*(sign_in(client, CAFE) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert await rows(app, NOTICES) == [f"{CAFE}, Firefox on Linux"]


async def test_the_last_sign_in_is_kept(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann = await accounts.add("ann")
    last = "SELECT last_sign_in_at FROM users"
    await sign_in(client, password="wrong horse")
    assert await rows(app, last) == [None]
    pair(await sign_in(client))
    assert await rows(app, last) == [START]
    assert await rows(app, "SELECT version FROM users") == [ann.version]  # no change of the profile


async def test_the_audit_log_says_who_signed_in_and_who_failed(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann = str((await accounts.add("ann")).id)
    await sign_in(client, CAFE, password="wrong horse")
    await sign_in(client, CAFE, login="nobody")
    pair(await sign_in(client))
    place = (CAFE, "Firefox on Linux")
    assert await rows(app, AUDIT) == [
        ["sign_in.failed", None, ann, *place, {}],  # whoever it was, they were not signed in
        ["sign_in.failed", None, None, *place, {}],
        ["sign_in.succeeded", ann, ann, HOME, "Firefox on Linux", {"client_id": "plaza"}],
    ]


async def test_what_is_refused_unseen_is_not_in_the_audit_log(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, settings: Settings
) -> None:
    await accounts.add("ann")
    for _ in range(settings.failures_per_pair):
        await sign_in(client, password="wrong horse")
    for password in ("wrong horse", PASSWORD):
        assert code(await sign_in(client, password=password)) == (429, "too_many_failures")
    failures = await rows(app, "SELECT count(*) FROM audit_log WHERE action = 'sign_in.failed'")
    assert failures == [settings.failures_per_pair]


async def test_a_hostile_user_agent_is_stored_as_a_plain_name(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    await accounts.add("ann")
    for user_agent in ("Visit http://evil.test/1 CFNetwork/1", "x" * 5000, "\x7f<b>", "{{ 7*7 }}"):
        pair(await sign_in(client, user_agent=user_agent))
    for device in await rows(app, "SELECT device FROM sessions"):
        assert len(device) < 100
        assert not set(device) & set("<>:/.{}\x7f")


async def test_the_device_cookie_of_http(client: httpx.AsyncClient, accounts: Accounts) -> None:
    await accounts.add("ann")
    answer = await sign_in(client)
    [cookie] = answer.headers.get_list("set-cookie")
    value, *attributes = cookie.split("; ")
    assert value.startswith("plaza_device=")
    assert set(attributes) == {"Path=/", "Max-Age=31536000", "HttpOnly", "SameSite=Strict"}
    assert answer.json()["refresh_token"] not in cookie
    failed = await sign_in(client, password="wrong horse")
    assert "set-cookie" not in failed.headers


class TestHttps:
    """PUBLIC_URL is https."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"public_url": "https://plaza.test"})

    async def test_the_cookie_is_bound_to_the_host(
        self, client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
    ) -> None:
        await accounts.add("ann")
        [cookie] = (await sign_in(client)).headers.get_list("set-cookie")
        value, *attributes = cookie.split("; ")
        assert value.startswith("__Host-plaza_device=")
        assert set(attributes) == {
            "Path=/",
            "Max-Age=31536000",
            "HttpOnly",
            "SameSite=Strict",
            "Secure",
        }
        # The plain name, which another host of the domain could set, says nothing.
        pair(await sign_in(client, CAFE, device=value.partition("=")[2]))
        assert len(await rows(app, NOTICES)) == 1
        headers = {"Cookie": value, "X-Forwarded-For": "192.0.2.200"}
        pair(
            await client.post(
                TOKEN, data={"username": "ann", "password": PASSWORD}, headers=headers
            )
        )
        assert len(await rows(app, NOTICES)) == 1
