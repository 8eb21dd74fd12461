"""The token endpoint's form, answers and errors (RFC 6749, sections 4.3, 5 and 6)."""

import base64

import httpx
import pytest

from src.access.permissions import OWN_SCOPES
from tests.auth.support import FORM, TOKEN, pair, refresh, segment, sign_in, whoami
from tests.support import PASSWORD, Account

GOOD = {"username": "ann", "password": PASSWORD}
MULTIPART = "multipart/form-data; boundary=x"
TOLERATED_FORMS: list[dict[str, str]] = [
    {},  # no grant_type, as Swagger UI sends it
    {"grant_type": ""},
    {"scope": ""},
    {"client_id": "", "client_secret": ""},
    {"client_id": "plaza"},
    {"audience": "an unknown parameter"},
]
FOREIGN_CLIENTS = [
    b"Basic " + base64.b64encode(b"shop:"),
    b"Basic " + base64.b64encode(b"shop:secret"),
    b"Basic " + base64.b64encode(b"plaza:a secret we never gave"),
    b"Basic " + base64.b64encode(b":a secret alone"),
    b"Basic " + base64.b64encode(b"\xff\xfe"),
    b"Basic ?",
    b"Basic \xff\xff",
    b"Bearer x",
]
FAULTY = {
    "invalid_request": [
        "grant_type=password&username=ann",
        "grant_type=password&username=ann&password=",
        "grant_type=password&password=x",
        "grant_type=refresh_token",
        "grant_type=refresh_token&refresh_token=",
        "",
        "username=ann",
        "refresh_token=x",
        "username=ann&username=ann&password=x",
        "username=ann&password=x&password=y",
        "username=ann&password=x&scope=&scope=",
        "grant_type=password&grant_type=password&username=ann&password=x",
        "username=ann&password=%FF",
        "username=ann&password=%ED%A0%80",
        "username=ann%00&password=x",
        "username=ann&password=caf\u00e9",
        "username=ann&password=" + "x" * 2000,
        "a=1&" * 1000,
        '{"username": "ann", "password": "x"}',
    ],
    "unsupported_grant_type": [
        "grant_type=client_credentials",
        "grant_type=authorization_code&code=x",
        "grant_type=Password&username=ann&password=x",
    ],
    "invalid_scope": [
        f"username=ann&password={PASSWORD}&scope=admin",
        f"username=ann&password={PASSWORD}&scope=profile%3Aread+admin",
        f"username=ann&password={PASSWORD}&scope=PROFILE%3AREAD",
        f"username=ann&password={PASSWORD}&scope=+",
    ],
}


async def test_a_password_gives_a_token_pair(client: httpx.AsyncClient, ann: Account) -> None:
    answer = await client.post(TOKEN, data=GOOD | {"grant_type": "password"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    tokens = answer.json()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 600
    assert set(tokens["scope"].split()) == set(OWN_SCOPES)
    me = await whoami(client, tokens["access_token"])
    assert me.json()["username"] == "ann"
    assert (await refresh(client, tokens["refresh_token"])).status_code == 200


async def test_what_common_clients_send_is_tolerated(
    client: httpx.AsyncClient, ann: Account
) -> None:
    for form in TOLERATED_FORMS:
        assert (await client.post(TOKEN, data=GOOD | form)).status_code == 200, form
    for header in ("Basic Og==", "basic Og==", "Basic cGxhemE6"):  # empty, empty, plaza
        answer = await client.post(TOKEN, data=GOOD, headers={"Authorization": header})
        assert answer.status_code == 200, header


@pytest.mark.parametrize("error", FAULTY)
async def test_a_faulty_form_is_a_400_with_its_oauth_error(
    client: httpx.AsyncClient, ann: Account, error: str
) -> None:
    for body in FAULTY[error]:
        assert_oauth_error(await client.post(TOKEN, content=body, headers=FORM), 400, error)


async def test_only_a_form_is_read(client: httpx.AsyncClient, ann: Account) -> None:
    form = f"username=ann&password={PASSWORD}"
    for content_type in ("application/json", MULTIPART, "text/plain", ""):
        answer = await client.post(TOKEN, content=form, headers={"Content-Type": content_type})
        assert_oauth_error(answer, 400, "invalid_request")
    assert_oauth_error(await client.post(TOKEN, json=GOOD), 400, "invalid_request")


async def test_credentials_in_the_query_are_not_read(
    client: httpx.AsyncClient, ann: Account
) -> None:
    answer = await client.post(TOKEN, params=GOOD)
    assert_oauth_error(answer, 400, "invalid_request")


async def test_a_foreign_client_is_refused(client: httpx.AsyncClient, ann: Account) -> None:
    for header in FOREIGN_CLIENTS:
        for grant in ("password", "refresh_token", "unknown"):
            form = GOOD | {"grant_type": grant, "refresh_token": ann.refresh_token}
            answer = await client.post(TOKEN, data=form, headers={b"Authorization": header})
            assert_oauth_error(answer, 401, "invalid_client")
            assert answer.headers["www-authenticate"].startswith("Basic ")
    for field in ({"client_id": "shop"}, {"client_secret": "x"}):
        answer = await client.post(TOKEN, data=GOOD | field)
        assert_oauth_error(answer, 400, "invalid_client")
        # At a challenge a browser would ask its user for a password, and `fetch` would hang.
        assert "www-authenticate" not in answer.headers


async def test_a_narrow_scope_is_what_one_gets(client: httpx.AsyncClient, ann: Account) -> None:
    answer = await sign_in(client, "ann", scope="profile:read")
    access, first_refresh = pair(answer)
    assert answer.json()["scope"] == segment(access, 1)["scope"] == "profile:read"
    for wider in ("profile:read profile:write", "profile:write", "openid"):
        assert_oauth_error(await refresh(client, first_refresh, scope=wider), 400, "invalid_scope")
    refreshed = await refresh(client, first_refresh)  # the refusals did not spend it
    assert refreshed.json()["scope"] == "profile:read"


async def test_a_refresh_may_narrow_the_scope(client: httpx.AsyncClient, ann: Account) -> None:
    answer = await refresh(client, ann.refresh_token, scope="posts:read")
    access, _ = pair(answer)
    assert answer.json()["scope"] == segment(access, 1)["scope"] == "posts:read"
    refused = await whoami(client, access)
    assert refused.status_code == 403


async def test_only_post_is_known(client: httpx.AsyncClient) -> None:
    assert (await client.get(TOKEN, params=GOOD)).status_code == 405


def assert_oauth_error(
    answer: httpx.Response, status: int, error: str, own_code: str | None = None
) -> None:
    """Check the members of RFC 6749 (5.2) and of RFC 9457 in one document."""
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert (problem["error"], problem["code"]) == (error, own_code or error)
    assert isinstance(problem["error_description"], str)
    assert problem["status"] == status
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
