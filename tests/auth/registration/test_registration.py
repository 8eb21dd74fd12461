"""Registering: the same answer for every address, and one account for every way to write it."""

import asyncio
import re
import statistics
import time
import unicodedata
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from src.config import Settings
from tests.auth.support import (
    ONE_REQUEST_ID,
    REGISTER,
    code,
    confirm,
    pair,
    register,
    rows,
    sign_in,
    whoami,
)
from tests.support import PASSWORD, Accounts, FrozenClock, Inbox

EMAILS = "SELECT email FROM users ORDER BY email"
ASCII = ["ann@x.test", "Ann@X.Test", "ANN@X.TEST", " ann@x.test ", "ann@\uff38.test"]
PUNYCODE = [
    "ann@b\u00fccher.test",
    "Ann@BU\u0308CHER.test",
    "ann@xn--bcher-kva.test",
    "ANN@XN--BCHER-KVA.TEST",
]
NFC = unicodedata.normalize("NFC", "andr\u00e9@x.test")
ACCENTS = [
    NFC,
    unicodedata.normalize("NFD", NFC),
    NFC.upper(),
    unicodedata.normalize("NFD", NFC.upper()),
]


async def post(client: httpx.AsyncClient, email: str, **fields: str) -> httpx.Response:
    """Register with a request id of one's own, so that answers can be compared."""
    body = {"email": email, "password": PASSWORD} | fields
    return await client.post(REGISTER, json=body, headers=ONE_REQUEST_ID)


async def test_registering_confirming_signing_in(client: httpx.AsyncClient, inbox: Inbox) -> None:
    answer = await post(client, "ann@x.test", display_name="  Ann \u041e\u0301  ", username="Ann-1")
    assert answer.status_code == 202
    assert set(answer.json()) == {"status", "registration_secret"}
    assert answer.json()["status"] == "confirmation_sent"
    assert code(await sign_in(client, "ann@x.test")) == (400, "email_not_confirmed")
    token = await inbox.token("ann@x.test")
    secret = answer.json()["registration_secret"]
    confirmed = await confirm(client, token, registration_secret=secret)
    assert (confirmed.status_code, confirmed.content) == (204, b"")
    access, _ = pair(await sign_in(client, "ann-1"))
    me = (await whoami(client, access)).json()
    assert me["username"] == "ann-1"
    assert me["email"] == "ann@x.test"
    assert me["email_verified"] is True
    assert me["display_name"] == "Ann \u041e\u0301"


@pytest.mark.parametrize("confirmation_required", [True, False])
@pytest.mark.parametrize("registered_before", [True, False])
@pytest.mark.parametrize("username", ["ann-1", None])
async def test_a_profile_without_a_name_does_not_tell_the_address(
    client: httpx.AsyncClient,
    app: FastAPI,
    inbox: Inbox,
    *,
    confirmation_required: bool,
    registered_before: bool,
    username: str | None,
) -> None:
    app.state.settings.require_confirmed_email = confirmation_required
    if registered_before:
        await register(client, "jane.doe@x.test", password="of somebody else")
    fields = {"username": username} if username else {}
    secret = await register(client, "jane.doe@x.test", **fields)
    token = await inbox.token("jane.doe@x.test", 1 + registered_before)
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204
    access, _ = pair(await sign_in(client, "jane.doe@x.test"))
    me = (await whoami(client, access)).json()
    profile = await client.get(f"/api/v1/users/{me['username']}")
    assert profile.json()["display_name"] == me["username"]
    assert re.fullmatch(username or "user-[0-9a-f]{10}", me["username"])
    assert not re.search("jane|doe", profile.text)


async def test_the_answer_is_the_same_for_every_address(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("known")
    await accounts.add("off", active=False)
    await accounts.add("pending", confirmed=False)
    answers = [
        await post(client, email, username="free-name")
        for email in ("new@x.test", "known@x.test", "off@x.test", "pending@x.test", "KNOWN@X.TEST")
    ]
    secrets = {answer.json()["registration_secret"] for answer in answers}
    assert len(secrets) == len(answers)
    shapes = {
        (
            answer.status_code,
            frozenset(answer.headers.items()),
            answer.text.replace(answer.json()["registration_secret"], "secret"),
        )
        for answer in answers
    }
    assert len(shapes) == 1


@pytest.mark.parametrize(
    ("spellings", "mailbox"),
    [
        pytest.param(ASCII, "ann@x.test", id="case"),
        pytest.param(PUNYCODE, "ann@xn--bcher-kva.test", id="IDN"),
        pytest.param(ACCENTS, NFC, id="NFD"),
    ],
)
async def test_twenty_registrations_at_once_make_one_account(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox, spellings: list[str], mailbox: str
) -> None:
    answers = await asyncio.gather(
        *(post(client, spellings[i % len(spellings)]) for i in range(20))
    )
    assert [answer.status_code for answer in answers] == [202] * 20
    assert len(await rows(app, EMAILS)) == 1
    secrets = [answer.json()["registration_secret"] for answer in answers]
    assert len(set(secrets)) == 20
    token = await inbox.token(mailbox)
    confirmed = await confirm(client, token, registration_secret=secrets[7])
    assert confirmed.status_code == 204
    for spelling in spellings:
        assert (await sign_in(client, spelling)).status_code == 200


async def test_addresses_that_differ_stay_apart(client: httpx.AsyncClient, app: FastAPI) -> None:
    emails = [
        "ann+news@x.test",
        "ann@x.test",
        "ann@x.test.test",
        "anne@x.test",
        "andre@x.test",
        NFC,
    ]
    for email in emails:
        await register(client, email)
    assert set(await rows(app, EMAILS)) == set(emails)


async def test_registering_a_known_address_changes_nothing_and_its_owner_is_told(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    before = (await whoami(client, ann.access_token)).json()
    secret = await register(
        client,
        "Ann@x.test",
        password="another good one",
        display_name="Mallory",
        username="mallory",
    )
    [mail] = await inbox.mails("ann@x.test", 1)
    assert "already" in mail.subject
    assert "token" not in mail.text + (mail.html or "")
    assert "Mallory" not in mail.text + (mail.html or "")
    assert (await whoami(client, ann.access_token)).json() == before
    assert (await sign_in(client, "ann")).status_code == 200
    assert code(await sign_in(client, "ann", "another good one")) == (400, "invalid_grant")
    assert (await client.get("/api/v1/users/mallory")).status_code == 404
    assert secret


async def test_a_taken_username_is_said_whatever_the_address(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    for email in ("new@x.test", "ann@x.test"):
        answer = await post(client, email, username="ANN")
        assert code(answer) == (409, "username_taken")


async def test_a_username_taken_in_the_meantime_does_not_stop_the_confirmation(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    secret = await register(client, "ann@x.test", username="ann", display_name="Ann")
    bob = await accounts.sign_in("bob")
    taken = await client.patch("/api/v1/users/me", headers=bob.headers, json={"username": "ann"})
    assert taken.status_code == 200
    token = await inbox.token("ann@x.test")
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204
    access, _ = pair(await sign_in(client, "ann@x.test"))
    me = (await whoami(client, access)).json()
    assert me["display_name"] == "Ann"
    assert me["username"] not in {"ann", "bob"}
    assert me["requested_username"] == "ann"
    assert (await client.get("/api/v1/users/ann")).json()["id"] == bob.id


async def test_mails_are_limited_but_the_answer_stays_the_same(
    client: httpx.AsyncClient, inbox: Inbox, clock: FrozenClock
) -> None:
    for _ in range(9):
        await register(client, "ann@x.test")
    clock.advance(timedelta(hours=1))
    await register(client, "ann@x.test")
    await register(client, "last@x.test")
    await inbox.mails("last@x.test", 1)
    assert len(await inbox.mails("ann@x.test", 6)) == 6


class TestTime:
    """How long an answer takes must not tell whether the address is known."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"bcrypt_rounds": 10, "email_links_per_hour": 100})

    async def test_new_and_known_addresses_cost_the_same(
        self, client: httpx.AsyncClient, accounts: Accounts
    ) -> None:
        await accounts.add("known")
        await accounts.add("pending", confirmed=False)
        spent: dict[str, list[float]] = {"new": [], "known": [], "pending": []}
        for number in range(5):
            for kind, times in spent.items():
                email = f"new{number}@x.test" if kind == "new" else f"{kind}@x.test"
                started = time.process_time()  # of all threads, whatever else this machine does
                await post(client, email)
                times.append(time.process_time() - started)
        medians = [statistics.median(times) for times in spent.values()]
        assert max(medians) < 1.25 * min(medians)
