"""Token introspection (RFC 7662): who may ask, and what is told of which token."""

from datetime import timedelta
from urllib.parse import quote_from_bytes

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.users.models import User
from tests.auth.oauth.support import (
    INTROSPECT,
    Credentials,
    add_client,
    introspect,
    rotate,
    with_another_mac,
)
from tests.auth.sign_in.test_token_endpoint import FOREIGN_CLIENTS, assert_oauth_error
from tests.auth.support import FORM, LOGOUT, change, pair, refresh, segment, sign_in, whoami
from tests.auth.tokens.test_hostile_tokens import HOSTILE
from tests.support import START, Account, Accounts, FrozenClock

NOT_VALID = {"active": False}
NOW = int(START.timestamp())


@pytest.fixture
async def api(app: FastAPI) -> Credentials:
    """A resource server, which may ask."""
    return await add_client(app, "tokens:introspect")


async def test_what_is_told_of_an_access_token(
    client: httpx.AsyncClient, ann: Account, api: Credentials
) -> None:
    claims = segment(ann.access_token, 1)
    assert await introspect(client, api, ann.access_token) == {
        "active": True,
        "scope": claims["scope"],
        "client_id": "plaza",
        "username": "ann",
        "token_type": "bearer",
        "exp": NOW + 600,
        "iat": NOW,
        "sub": ann.id,
        "aud": "http://plaza.test",
        "iss": "http://plaza.test",
        "jti": claims["jti"],
        "sid": claims["sid"],
        "auth_time": NOW,
    }


async def test_what_is_told_of_a_refresh_token(
    app: FastAPI, client: httpx.AsyncClient, accounts: Accounts, api: Credentials
) -> None:
    shop = await add_client(app, "posts:read", "profile:read")
    ann = await accounts.sign_in("ann", **shop.form)
    assert await introspect(client, api, ann.refresh_token) == {
        "active": True,
        "scope": "profile:read posts:read",
        "client_id": shop.client_id,
        "username": "ann",
        "token_type": "refresh_token",
        "exp": NOW + 14 * 86_400,
        "iat": NOW,
        "sub": ann.id,
        "aud": "http://plaza.test",
        "iss": "http://plaza.test",
        "sid": segment(ann.access_token, 1)["sid"],
    }


async def test_answers_are_not_kept(
    client: httpx.AsyncClient, ann: Account, api: Credentials
) -> None:
    answer = await client.post(INTROSPECT, data={"token": ann.access_token}, auth=api)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"


async def test_basic_credentials_may_be_encoded_as_in_a_form(
    client: httpx.AsyncClient, ann: Account, api: Credentials
) -> None:
    """As RFC 6749, section 2.3.1, has it; some libraries encode `-` and `_` too."""
    data = {"token": ann.access_token}
    encoded = Credentials(*("".join(f"%{byte:02X}" for byte in part.encode()) for part in api))
    for auth in (api, encoded):
        answer = await client.post(INTROSPECT, data=data, auth=auth)
        assert answer.json()["active"] is True
    for secret in ("%FF", "%00", "%zz"):
        answer = await client.post(INTROSPECT, data=data, auth=(api.client_id, secret))
        assert_oauth_error(answer, 401, "invalid_client")


async def test_a_hint_changes_nothing(
    client: httpx.AsyncClient, ann: Account, api: Credentials
) -> None:
    for token in (ann.access_token, ann.refresh_token):
        told = await introspect(client, api, token)
        for hint in ("access_token", "refresh_token", "nonsense"):
            assert await introspect(client, api, token, token_type_hint=hint) == told


async def test_the_public_client_may_not_ask(client: httpx.AsyncClient, ann: Account) -> None:
    data = {"token": ann.access_token}
    assert_oauth_error(await client.post(INTROSPECT, data=data), 400, "invalid_client")
    for header in (*FOREIGN_CLIENTS, b"Basic Og==", b"Bearer " + ann.access_token.encode()):
        answer = await client.post(INTROSPECT, data=data, headers={b"Authorization": header})
        assert_oauth_error(answer, 401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_a_client_without_the_scope_may_not_ask(
    app: FastAPI, client: httpx.AsyncClient, ann: Account
) -> None:
    shop = await add_client(app, "profile:read", "users:manage")
    for token in (ann.access_token, "unknown"):
        answer = await client.post(INTROSPECT, data={"token": token} | shop.form)
        assert_oauth_error(answer, 403, "unauthorized_client", "client_not_allowed")


async def test_nobody_gets_the_scope_of_clients(
    app: FastAPI, client: httpx.AsyncClient, accounts: Accounts, api: Credentials
) -> None:
    await accounts.add("root", roles=("admin",))
    for form in ({}, api.form):
        asked = await sign_in(client, "root", scope="tokens:introspect", **form)
        assert_oauth_error(asked, 400, "invalid_scope")
    assert_oauth_error(await sign_in(client, "root", **api.form), 400, "invalid_scope")
    assert "tokens:introspect" not in (await sign_in(client, "root")).json()["scope"]


async def test_the_token_has_to_be_there(client: httpx.AsyncClient, api: Credentials) -> None:
    for body in ("", "token=", "token=a&token=b", "token=%FF"):
        answer = await client.post(INTROSPECT, content=body, headers=FORM, auth=api)
        assert_oauth_error(answer, 400, "invalid_request")
    answer = await client.post(INTROSPECT, params={"token": "x"}, auth=api)
    assert_oauth_error(answer, 400, "invalid_request")


async def test_no_hostile_token_is_valid(client: httpx.AsyncClient, api: Credentials) -> None:
    for token in HOSTILE:
        body = f"token={quote_from_bytes(token)}"
        answer = await client.post(INTROSPECT, content=body, headers=FORM, auth=api)
        assert answer.status_code in {200, 400, 413}, token[:60]
        if answer.status_code == 200:
            assert answer.json() == NOT_VALID


async def test_nothing_is_told_of_a_forged_refresh_token(
    client: httpx.AsyncClient, ann: Account, api: Credentials
) -> None:
    assert await introspect(client, api, with_another_mac(ann.refresh_token)) == NOT_VALID


async def test_nothing_is_told_of_an_ended_session(
    client: httpx.AsyncClient, ann: Account, api: Credentials
) -> None:
    await client.post(LOGOUT, headers=ann.headers)
    for token in (ann.access_token, ann.refresh_token):
        assert await introspect(client, api, token) == NOT_VALID


async def test_nothing_is_told_of_a_disabled_user(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, api: Credentials
) -> None:
    await change(app, update(User).values(is_active=False))
    for token in (ann.access_token, ann.refresh_token):
        assert await introspect(client, api, token) == NOT_VALID


async def test_tokens_expire(
    client: httpx.AsyncClient, ann: Account, api: Credentials, clock: FrozenClock
) -> None:
    clock.advance(timedelta(minutes=10))
    assert await introspect(client, api, ann.access_token) == NOT_VALID
    clock.advance(timedelta(days=14) - timedelta(minutes=10, seconds=1))
    assert (await introspect(client, api, ann.refresh_token))["active"]
    clock.advance(timedelta(seconds=1))
    assert await introspect(client, api, ann.refresh_token) == NOT_VALID


async def test_no_refresh_token_is_said_to_outlive_its_session(
    client: httpx.AsyncClient, ann: Account, api: Credentials, clock: FrozenClock
) -> None:
    token = ann.refresh_token
    for _ in range(5):
        clock.advance(timedelta(days=11))
        _, token = pair(await refresh(client, token))
    assert (await introspect(client, api, token))["exp"] == NOW + 60 * 86_400
    clock.advance(timedelta(days=5))
    assert await introspect(client, api, token) == NOT_VALID


async def test_a_spent_refresh_token_is_valid_in_its_grace_only(
    client: httpx.AsyncClient, ann: Account, api: Credentials, clock: FrozenClock
) -> None:
    access, second = pair(await refresh(client, ann.refresh_token))
    assert (await whoami(client, access)).status_code == 200
    clock.advance(timedelta(seconds=10))
    assert (await introspect(client, api, ann.refresh_token))["active"]
    clock.advance(timedelta(seconds=1))
    assert await introspect(client, api, ann.refresh_token) == NOT_VALID
    _, third = pair(await refresh(client, second))
    assert await introspect(client, api, ann.refresh_token) == NOT_VALID
    assert (await introspect(client, api, third))["active"]
    # Asking is not using: the session lives.
    assert (await refresh(client, third)).status_code == 200


async def test_a_token_of_a_leaked_key_is_not_valid(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, api: Credentials, clock: FrozenClock
) -> None:
    await rotate(app, revoke_old=True)
    clock.advance(timedelta(seconds=5))
    assert await introspect(client, api, ann.access_token) == NOT_VALID
    assert (await introspect(client, api, ann.refresh_token))["active"]


async def test_the_scope_is_what_the_user_may_do_now(
    app: FastAPI, client: httpx.AsyncClient, accounts: Accounts, api: Credentials
) -> None:
    await accounts.add("root", roles=("admin",))
    root = await accounts.sign_in("root", scope="profile:read users:manage")
    for token in (root.access_token, root.refresh_token):
        assert (await introspect(client, api, token))["scope"] == "profile:read users:manage"
    await change(app, update(User).values(roles=[]))
    for token in (root.access_token, root.refresh_token):
        assert (await introspect(client, api, token))["scope"] == "profile:read"
