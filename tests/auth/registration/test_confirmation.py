"""Confirming an address: the link, the proof beside it, and that it works once."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from src.auth.tokens.opaque_tokens import OpaqueTokens
from src.auth.tools import AuthTools
from src.config import Settings
from src.ids import uuid7
from tests.auth.support import (
    CONFIRM,
    RESEND,
    code,
    confirm,
    pair,
    register,
    rows,
    seen,
    sign_in,
    whoami,
)
from tests.support import PASSWORD, FrozenClock, Inbox

INVALID_TOKEN = (400, "invalid_token")
ALREADY_CONFIRMED = (400, "email_already_confirmed")
PROOF_REQUIRED = (400, "confirmation_proof_required")
ANN = "ann@x.test"


async def is_confirmed(client: httpx.AsyncClient) -> bool:
    """Whether the owner of the address can sign in."""
    answer = await sign_in(client, ANN)
    assert answer.status_code == 200 or code(answer) == (400, "email_not_confirmed")
    return answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reading_the_link_any_number_of_times_changes_nothing(
    client: httpx.AsyncClient, inbox: Inbox, method: str
) -> None:
    """Mail scanners and previews open links before their owner does."""
    secret = await register(client, ANN)
    [mail] = await inbox.mails(ANN, 1)
    [link] = mail.links
    answers = await asyncio.gather(*(client.request(method, link) for _ in range(10)))
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers
        assert bool(answer.content) == (method == "GET")
        assert link.rpartition("=")[2] not in answer.text
    assert not await is_confirmed(client)
    token = await inbox.token(ANN)
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204
    assert await is_confirmed(client)


async def test_the_page_is_the_same_for_every_token(client: httpx.AsyncClient) -> None:
    """It cannot be asked which tokens are good."""
    pages = [await client.get(f"/confirm-email?token={token}") for token in ("a", "A" * 70, "")]
    assert len({page.content for page in pages}) == 1
    policy = pages[0].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for path in ("/account-pages/confirm_email.js", "/account-pages/page.css"):
        assert path in pages[0].text
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_confirms(client: httpx.AsyncClient, inbox: Inbox, method: str) -> None:
    secret = await register(client, ANN)
    query = {"token": await inbox.token(ANN), "registration_secret": secret, "password": PASSWORD}
    answer = await client.request(method, CONFIRM, params=query)
    assert code(answer) == (405, "method_not_allowed")
    assert (await client.post(CONFIRM, params=query)).status_code == 422
    assert not await is_confirmed(client)


@pytest.mark.parametrize("kind", ["registration_secret", "password"])
async def test_twenty_confirmations_at_once_are_one(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox, kind: str
) -> None:
    secret = await register(client, ANN)
    token = await inbox.token(ANN)
    proof = {kind: secret if kind == "registration_secret" else PASSWORD}
    answers = await asyncio.gather(*(confirm(client, token, **proof) for _ in range(20)))
    failures = [answer for answer in answers if answer.status_code != 204]
    assert len(failures) == 19
    assert {code(answer) for answer in failures} == {ALREADY_CONFIRMED}
    assert await is_confirmed(client)
    assert await rows(app, "SELECT 1 FROM registrations") == []
    assert await rows(app, "SELECT 1 FROM email_links WHERE used_at IS NULL") == []


async def test_a_used_link_says_so_and_leaves_the_sessions_alone(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    secret = await register(client, ANN)
    token = await inbox.token(ANN)
    await confirm(client, token, registration_secret=secret)
    access, _ = pair(await sign_in(client, ANN))
    for proof in ({"registration_secret": secret}, {"password": PASSWORD}, {}):
        assert code(await confirm(client, token, **proof)) == ALREADY_CONFIRMED
    assert (await whoami(client, access)).status_code == 200


async def test_any_link_of_a_confirmed_address_says_that_it_is_confirmed(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    secrets = [await register(client, ANN) for _ in range(3)]
    mails = await inbox.mails(ANN, 3)
    tokens = [mail.links[0].rpartition("=")[2] for mail in mails]
    assert len(set(tokens)) == 3
    assert (await confirm(client, tokens[1], registration_secret=secrets[2])).status_code == 204
    for token in tokens:
        for secret in secrets:
            answer = await confirm(client, token, registration_secret=secret)
            assert code(answer) == ALREADY_CONFIRMED


async def test_a_wrong_proof_is_told_apart_and_does_not_use_the_link_up(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    secret = await register(client, ANN)
    token = await inbox.token(ANN)
    others = await register(client, "bob@x.test")
    for proof in (
        {},
        {"password": "wrong horse battery"},
        {"password": secret},
        {"registration_secret": PASSWORD},
        {"registration_secret": others},
        {"registration_secret": secret[:-1]},
        {"registration_secret": secret + "A"},
        {"registration_secret": ""},
        {"registration_secret": "\u00e9"},
        {"registration_secret": others, "password": "wrong horse battery"},
    ):
        assert code(await confirm(client, token, **proof)) == PROOF_REQUIRED, proof
    assert not await is_confirmed(client)
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204


async def test_one_right_proof_is_enough(client: httpx.AsyncClient, inbox: Inbox) -> None:
    """A browser may hold the secret of an older registration and ask for the password too."""
    await register(client, ANN)
    proofs = {"registration_secret": "of another one", "password": PASSWORD}
    assert (await confirm(client, await inbox.token(ANN), **proofs)).status_code == 204


async def test_a_link_lives_for_a_day(
    client: httpx.AsyncClient, inbox: Inbox, clock: FrozenClock
) -> None:
    secret = await register(client, ANN)
    token = await inbox.token(ANN)
    clock.advance(timedelta(hours=24))
    assert code(await confirm(client, token, registration_secret=secret)) == INVALID_TOKEN
    await client.post(RESEND, json={"email": ANN})
    newer = await inbox.token(ANN, 2)
    clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    assert newer != token
    assert code(await confirm(client, token, registration_secret=secret)) == INVALID_TOKEN
    assert (await confirm(client, newer, registration_secret=secret)).status_code == 204


async def test_tokens_for_other_purposes_are_no_link_tokens(
    client: httpx.AsyncClient, app: FastAPI, settings: Settings, inbox: Inbox
) -> None:
    """And all of them fail alike."""
    secret = await register(client, ANN)
    await inbox.mails(ANN, 1)
    [link_id] = await rows(app, "SELECT id FROM email_links")
    tools: AuthTools = app.state.auth
    other_key = OpaqueTokens("another secret key", "confirm-link")
    tokens = [
        tools.refresh_tokens.issue(link_id),
        tools.links.issue("confirm", uuid7()),
        tools.links.issue("reset", link_id),
        other_key.issue(link_id),
        secret,
        str(link_id),
    ]
    answers = [
        await client.post(
            CONFIRM,
            json={"token": token, "registration_secret": secret},
            headers={"X-Request-ID": "the-same"},
        )
        for token in tokens
    ]
    assert code(answers[0]) == INVALID_TOKEN
    assert {repr(seen(answer)) for answer in answers} == {repr(seen(answers[0]))}
    right = tools.links.issue("confirm", link_id)
    assert (await confirm(client, right, registration_secret=secret)).status_code == 204


class TestSlowHash:
    """While a password is being checked, somebody else uses the link."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"bcrypt_rounds": 11})

    async def test_a_link_used_meanwhile_is_not_called_a_wrong_password(
        self, client: httpx.AsyncClient, inbox: Inbox
    ) -> None:
        secret = await register(client, ANN)
        token = await inbox.token(ANN)
        late, first = await asyncio.gather(
            confirm(client, token, password="wrong horse battery"),
            confirm(client, token, registration_secret=secret),
        )
        assert first.status_code == 204
        assert code(late) == ALREADY_CONFIRMED


async def test_passwords_tried_at_a_link_are_counted(
    client: httpx.AsyncClient, inbox: Inbox, clock: FrozenClock
) -> None:
    secret = await register(client, ANN)
    token = await inbox.token(ANN)
    for _ in range(5):
        answer = await confirm(client, token, password="not the password")
        assert code(answer) == (400, "confirmation_proof_required")
    too_many = await confirm(client, token, password=PASSWORD)
    assert code(too_many) == (429, "too_many_failures")
    assert too_many.headers["retry-after"] == "1"
    clock.advance(timedelta(seconds=1))
    assert (await confirm(client, token, password=PASSWORD)).status_code == 204
    assert secret


async def test_registrations_before_and_after_do_not_hide_the_owners(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    await register(client, ANN, password="of a stranger")
    await register(client, ANN)
    for number in range(10):
        await register(client, ANN, password=f"of a stranger {number}")
    token = await inbox.token(ANN, 5)
    assert (await confirm(client, token, password=PASSWORD)).status_code == 204
