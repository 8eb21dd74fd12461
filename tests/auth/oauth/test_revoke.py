"""Revoking tokens (RFC 7009)."""

import asyncio
from datetime import timedelta
from urllib.parse import quote_from_bytes

import httpx
import pytest
from fastapi import FastAPI

from tests.auth.oauth.support import REVOKE, Credentials, add_client, with_another_mac
from tests.auth.sign_in.test_token_endpoint import FOREIGN_CLIENTS, assert_oauth_error
from tests.auth.support import FORM, ONE_REQUEST_ID, pair, refresh, rows, seen, whoami
from tests.auth.tokens.test_hostile_tokens import HOSTILE
from tests.support import Account, Accounts, FrozenClock


@pytest.fixture
async def shop(app: FastAPI) -> Credentials:
    """A client with a secret."""
    return await add_client(app, "profile:read")


async def revoke(client: httpx.AsyncClient, token: str, **form: str) -> httpx.Response:
    """The answer to a token handed back."""
    return await client.post(REVOKE, data={"token": token} | form, headers=ONE_REQUEST_ID)


async def lives(client: httpx.AsyncClient, account: Account, **form: str) -> bool:
    """Whether both tokens of a session work, or neither."""
    access = await whoami(client, account.access_token)
    refreshed = await refresh(client, account.refresh_token, **form)
    assert (access.status_code, refreshed.status_code) in {(200, 200), (401, 400)}
    return access.status_code == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "something else", None])
async def test_a_revoked_token_ends_its_session_and_no_other(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, which: str, hint: str | None
) -> None:
    other, bob = await accounts.sign_in("ann"), await accounts.sign_in("bob")
    form = {"token_type_hint": hint} if hint else {}
    answer = await revoke(client, getattr(ann, which), **form)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert not await lives(client, ann)
    assert await lives(client, other)
    assert await lives(client, bob)


async def test_a_spent_refresh_token_ends_its_session_too(
    client: httpx.AsyncClient, ann: Account
) -> None:
    access, _ = pair(await refresh(client, ann.refresh_token))
    assert (await revoke(client, ann.refresh_token)).status_code == 200
    assert (await whoami(client, access)).status_code == 401


async def test_whatever_is_no_living_token_is_answered_alike(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    first = seen(await revoke(client, ann.refresh_token))
    for token in (ann.refresh_token, ann.access_token, "unknown", "A" * 70, ann.id, "x" * 4096):
        assert seen(await revoke(client, token)) == first
    clock.advance(timedelta(minutes=10))
    assert seen(await revoke(client, ann.access_token)) == first


async def test_an_expired_access_token_ends_nothing(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    clock.advance(timedelta(minutes=10))
    assert (await revoke(client, ann.access_token)).status_code == 200
    assert (await refresh(client, ann.refresh_token)).status_code == 200


async def test_no_hostile_token_is_more_than_ignored(
    client: httpx.AsyncClient, ann: Account
) -> None:
    for token in HOSTILE:
        answer = await client.post(REVOKE, content=f"token={quote_from_bytes(token)}", headers=FORM)
        assert answer.status_code in {200, 400, 413}, token[:60]
        if answer.status_code == 400:
            assert_oauth_error(answer, 400, "invalid_request")
    assert await lives(client, ann)


async def test_a_forged_refresh_token_is_ignored(client: httpx.AsyncClient, ann: Account) -> None:
    assert (await revoke(client, with_another_mac(ann.refresh_token))).status_code == 200
    assert await lives(client, ann)


async def test_a_faulty_form_is_a_400(client: httpx.AsyncClient) -> None:
    for body in ("", "token=", "token_type_hint=access_token", "token=a&token=b", "token=%FF"):
        answer = await client.post(REVOKE, content=body, headers=FORM)
        assert_oauth_error(answer, 400, "invalid_request")
    assert_oauth_error(await client.post(REVOKE, json={"token": "x"}), 400, "invalid_request")
    assert_oauth_error(
        await client.post(REVOKE, data={"token": "x" * 4097}), 400, "invalid_request"
    )
    assert (await client.get(REVOKE)).status_code == 405


async def test_wrong_client_credentials_are_refused(
    client: httpx.AsyncClient, ann: Account, shop: Credentials
) -> None:
    data = {"token": ann.refresh_token}
    for header in FOREIGN_CLIENTS:
        answer = await client.post(REVOKE, data=data, headers={b"Authorization": header})
        assert_oauth_error(answer, 401, "invalid_client")
    answer = await client.post(REVOKE, data=data, auth=(shop.client_id, "guessed"))
    assert_oauth_error(answer, 401, "invalid_client")
    assert await lives(client, ann)


async def test_a_client_revokes_its_own_tokens_only(
    app: FastAPI,
    client: httpx.AsyncClient,
    accounts: Accounts,
    ann: Account,
    shop: Credentials,
) -> None:
    of_shop = await accounts.sign_in("ann", **shop.form)
    stranger = await add_client(app, "profile:read")
    strangers: list[tuple[Account, dict[str, str]]] = [
        (of_shop, {}),
        (of_shop, stranger.form),
        (ann, shop.form),
    ]
    for account, caller in strangers:
        for token in (account.access_token, account.refresh_token):
            assert_oauth_error(await revoke(client, token, **caller), 400, "invalid_grant")
    assert (await whoami(client, of_shop.access_token)).status_code == 200
    assert (await revoke(client, of_shop.access_token, **shop.form)).status_code == 200
    assert not await lives(client, of_shop, **shop.form)
    assert (await revoke(client, of_shop.refresh_token)).status_code == 200  # nobody's any more
    assert await lives(client, ann)


async def test_it_is_in_the_audit_log_once(
    app: FastAPI, client: httpx.AsyncClient, ann: Account
) -> None:
    tokens = [ann.access_token, ann.refresh_token] * 5
    answers = await asyncio.gather(*(revoke(client, token) for token in tokens))
    assert {answer.status_code for answer in answers} == {200}
    entries = await rows(
        app, "SELECT to_jsonb(audit_log) FROM audit_log WHERE action = 'session.revoked'"
    )
    sessions = await rows(app, "SELECT id::text FROM sessions WHERE end_reason = 'revoked'")
    assert [entry["details"] for entry in entries] == [
        {"session_id": sessions[0], "client_id": "plaza"}
    ]
    assert entries[0]["user_id"] == ann.id
