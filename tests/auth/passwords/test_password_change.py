"""Changing one's password: other sessions end, links die, the owner is told."""

import asyncio
import unicodedata
from collections import Counter

import httpx
import pytest
from fastapi import FastAPI

from tests.account.support import (
    INVALID_TOKEN,
    NEW_PASSWORD,
    PASSWORD_PATH,
    WRONG_PASSWORD,
    change_email,
    change_password,
    forgot,
    reset,
)
from tests.auth.support import code, confirm, pair, refresh, rows, sign_in, whoami
from tests.support import PASSWORD, Accounts, Inbox, all_wait, locked_account

INVALID_GRANT = (400, "invalid_grant")


async def test_the_new_password_counts_and_other_sessions_end(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    ann, other = await accounts.sign_in("ann"), await accounts.sign_in("ann")
    bob = await accounts.sign_in("bob")
    answer = await change_password(client, ann)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await whoami(client, ann.access_token)).status_code == 200
    assert (await refresh(client, ann.refresh_token)).status_code == 200
    assert (await whoami(client, bob.access_token)).status_code == 200
    assert (await whoami(client, other.access_token)).status_code == 401
    assert code(await refresh(client, other.refresh_token)) == INVALID_GRANT
    assert code(await sign_in(client, "ann")) == INVALID_GRANT
    assert (await sign_in(client, "ann", NEW_PASSWORD)).status_code == 200
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "Your password has changed"
    assert "http://plaza.test/forgot-password" in mail.text
    sql = "SELECT action FROM audit_log WHERE action LIKE 'password.%'"
    assert await rows(app, sql) == ["password.changed"]


async def test_a_wrong_current_password_changes_nothing(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann, other = await accounts.sign_in("ann"), await accounts.sign_in("ann")
    answer = await change_password(client, ann, current_password="not the password")
    assert code(answer) == WRONG_PASSWORD
    assert (await whoami(client, other.access_token)).status_code == 200
    assert (await sign_in(client, "ann")).status_code == 200
    assert await rows(app, "SELECT id FROM pgqueuer") == []


@pytest.mark.parametrize(
    "new_password", ["shrtpwd", "password123", "ann@x.test", "x" * 257, PASSWORD]
)
async def test_a_new_password_has_to_be_good_and_new(
    client: httpx.AsyncClient, accounts: Accounts, new_password: str
) -> None:
    ann = await accounts.sign_in("ann")
    answer = await change_password(client, ann, new_password)
    assert code(answer) == (422, "validation_error")
    [error] = answer.json()["errors"]
    assert error["loc"] == ["body", "new_password"]
    assert new_password not in answer.text
    assert (await sign_in(client, "ann")).status_code == 200


async def test_the_same_password_in_another_form_is_not_new(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    composed = unicodedata.normalize("NFC", "Élodie à Orléans")
    assert (await change_password(client, ann, composed)).status_code == 204
    decomposed = unicodedata.normalize("NFD", composed)
    assert code(await change_password(client, ann, decomposed, composed)) == (
        422,
        "validation_error",
    )


async def test_open_links_are_dead(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    """Of a reset, and of a change of address that whoever knew the old password has begun."""
    ann = await accounts.sign_in("ann")
    await forgot(client, "ann@x.test")
    token = await inbox.token("ann@x.test")
    await change_email(client, ann, "evil@x.test")
    change_token = await inbox.token("evil@x.test")
    assert (await change_password(client, ann)).status_code == 204
    assert code(await reset(client, token, "yet another password")) == INVALID_TOKEN
    answer = await confirm(client, change_token, password=NEW_PASSWORD)
    assert code(answer) == INVALID_TOKEN
    assert (await sign_in(client, "ann@x.test", NEW_PASSWORD)).status_code == 200


@pytest.mark.parametrize("first", ["sign-in", "change"])
async def test_a_sign_in_at_the_same_time_does_not_survive(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, first: str
) -> None:
    ann = await accounts.sign_in("ann")
    begun = {}
    async with locked_account(app, "ann"):
        for number, name in enumerate([first, "change" if first == "sign-in" else "sign-in"]):
            action = change_password(client, ann) if name == "change" else sign_in(client, "ann")
            begun[name] = asyncio.create_task(action)
            await all_wait(app, number + 1)
    assert (await begun["change"]).status_code == 204
    signed_in = await begun["sign-in"]
    if first == "change":
        assert code(signed_in) == INVALID_GRANT
    else:
        access_token, refresh_token = pair(signed_in)
        assert (await whoami(client, access_token)).status_code == 401
        assert code(await refresh(client, refresh_token)) == INVALID_GRANT
    assert (await whoami(client, ann.access_token)).status_code == 200


async def test_of_two_changes_at_once_one_wins(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    news = [f"{NEW_PASSWORD} {number}" for number in range(2)]
    async with locked_account(app, "ann"):  # both have verified the old password
        begun = [asyncio.create_task(change_password(client, ann, new)) for new in news]
        await all_wait(app, 2)
    answers = await asyncio.gather(*begun)
    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 1}
    [loser] = [answer for answer in answers if answer.status_code == 400]
    assert code(loser) == WRONG_PASSWORD
    outcomes = [(await sign_in(client, "ann", new)).status_code for new in news]
    assert outcomes == [200 if answer.status_code == 204 else 400 for answer in answers]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"new_password": NEW_PASSWORD},
        {"current_password": PASSWORD},
        {"current_password": PASSWORD, "new_password": NEW_PASSWORD, "is_active": True},
        {"current_password": PASSWORD, "new_password": "NUL\0 in the middle"},
        {"current_password": "x" * 1025, "new_password": NEW_PASSWORD},
        {"current_password": "", "new_password": NEW_PASSWORD},
        {"current_password": [PASSWORD], "new_password": NEW_PASSWORD},
    ],
)
async def test_what_is_not_such_a_request(
    client: httpx.AsyncClient, accounts: Accounts, body: dict[str, object]
) -> None:
    ann = await accounts.sign_in("ann")
    answer = await client.post(PASSWORD_PATH, json=body, headers=ann.headers)
    assert code(answer) == (422, "validation_error")
    assert (await sign_in(client, "ann")).status_code == 200
