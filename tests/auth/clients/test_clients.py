"""Clients that authenticate themselves: what their secret opens, and the sessions bound to them."""

import httpx
import pytest
from fastapi import FastAPI

from src.access.permissions import OWN_SCOPES
from src.auth.clients.registry import remove_client
from src.exceptions import NotFoundError
from tests.auth.oauth.support import Credentials, add_client
from tests.auth.sign_in.test_token_endpoint import assert_oauth_error
from tests.auth.support import TOKEN, pair, refresh, rows, segment, sign_in, whoami
from tests.support import PASSWORD, Accounts

SCOPES = ("profile:read", "posts:read")
PASSWORD_FORM = {"username": "ann", "password": PASSWORD}


@pytest.fixture(autouse=True)
async def _ann(accounts: Accounts) -> None:
    await accounts.add("ann")


@pytest.fixture
async def shop(app: FastAPI) -> Credentials:
    """A client that may read."""
    return await add_client(app, *SCOPES)


async def remove(app: FastAPI, client_id: str) -> None:
    """Remove a client as the command line does."""
    state = app.state
    async with state.database.independent_transaction() as session:
        await remove_client(session, state.clock.now(), client_id)


async def test_a_client_signs_users_in_with_its_secret(
    client: httpx.AsyncClient, shop: Credentials
) -> None:
    for answer in (
        await client.post(TOKEN, data=PASSWORD_FORM, auth=shop),
        await client.post(TOKEN, data=PASSWORD_FORM | shop.form),
    ):
        access, _ = pair(answer)
        assert segment(access, 1)["client_id"] == shop.client_id
        assert (await whoami(client, access)).status_code == 200


async def test_a_wrong_secret_opens_nothing(
    app: FastAPI, client: httpx.AsyncClient, shop: Credentials
) -> None:
    other = await add_client(app, *SCOPES)
    for secret in ("", "x", shop.client_secret[:-1], shop.client_secret + "x", other.client_secret):
        by_header = await client.post(TOKEN, data=PASSWORD_FORM, auth=(shop.client_id, secret))
        assert_oauth_error(by_header, 401, "invalid_client")
        form = PASSWORD_FORM | {"client_id": shop.client_id, "client_secret": secret}
        assert_oauth_error(await client.post(TOKEN, data=form), 400, "invalid_client")


async def test_sessions_have_the_scopes_of_their_client_at_most(
    client: httpx.AsyncClient, shop: Credentials
) -> None:
    whole = await sign_in(client, "ann", **shop.form)
    assert set(whole.json()["scope"].split()) == set(SCOPES)
    narrowed = await sign_in(client, "ann", scope="posts:read posts:write", **shop.form)
    assert narrowed.json()["scope"] == "posts:read"
    beyond = await sign_in(client, "ann", scope="posts:write", **shop.form)
    assert_oauth_error(beyond, 400, "invalid_scope")
    _, refresh_token = pair(whole)
    wider = await refresh(client, refresh_token, scope=" ".join(OWN_SCOPES), **shop.form)
    assert_oauth_error(wider, 400, "invalid_scope")


async def test_a_client_gives_no_user_more_than_they_have(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    powerful = await add_client(app, "profile:read", "users:manage")
    assert (await sign_in(client, "ann", **powerful.form)).json()["scope"] == "profile:read"
    asked = await sign_in(client, "ann", scope="users:manage", **powerful.form)
    assert_oauth_error(asked, 400, "invalid_scope")


async def test_only_its_client_refreshes_a_session(
    app: FastAPI, client: httpx.AsyncClient, shop: Credentials
) -> None:
    other = await add_client(app, *SCOPES)
    _, of_shop = pair(await sign_in(client, "ann", **shop.form))
    _, of_nobody = pair(await sign_in(client, "ann"))
    assert_oauth_error(await refresh(client, of_shop), 400, "invalid_grant")
    assert_oauth_error(await refresh(client, of_shop, **other.form), 400, "invalid_grant")
    assert_oauth_error(await refresh(client, of_nobody, **shop.form), 400, "invalid_grant")
    guessed = await refresh(client, of_shop, client_id=shop.client_id, client_secret="x")
    assert_oauth_error(guessed, 400, "invalid_client")
    assert (await refresh(client, of_shop, **shop.form)).status_code == 200
    assert (await refresh(client, of_nobody)).status_code == 200


async def test_a_removed_client_is_not_known_and_its_sessions_end(
    app: FastAPI, client: httpx.AsyncClient, shop: Credentials
) -> None:
    of_shop, refresh_token = pair(await sign_in(client, "ann", **shop.form))
    of_nobody, _ = pair(await sign_in(client, "ann"))
    await remove(app, shop.client_id)
    assert_oauth_error(await sign_in(client, "ann", **shop.form), 400, "invalid_client")
    assert_oauth_error(await refresh(client, refresh_token, **shop.form), 400, "invalid_client")
    assert (await whoami(client, of_shop)).status_code == 401
    assert (await whoami(client, of_nobody)).status_code == 200
    with pytest.raises(NotFoundError):
        await remove(app, shop.client_id)


async def test_the_secret_is_not_stored(app: FastAPI, shop: Credentials) -> None:
    stored = "".join(
        [
            *await rows(app, "SELECT oauth_clients::text FROM oauth_clients"),
            *await rows(app, "SELECT audit_log::text FROM audit_log"),
        ]
    )
    assert shop.client_id in stored
    assert shop.client_secret not in stored
    assert shop.client_secret.encode().hex() not in stored


async def test_clients_are_in_the_audit_log(app: FastAPI, shop: Credentials) -> None:
    await remove(app, shop.client_id)
    entries = await rows(
        app, "SELECT to_jsonb(audit_log) FROM audit_log WHERE action LIKE 'client.%' ORDER BY id"
    )
    about = {"client_id": shop.client_id, "name": "Shop"}
    assert [(entry["action"], entry["details"]) for entry in entries] == [
        ("client.added", about | {"scope": " ".join(SCOPES)}),
        ("client.removed", about),
    ]
    assert {entry["device"] for entry in entries} == {"command line"}
