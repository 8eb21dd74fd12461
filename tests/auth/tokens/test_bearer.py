"""Bearer tokens in requests (RFC 6750): where they stand, how long they hold, what they open."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from src.access.principals import Principal
from src.auth.tokens.authenticator import SessionAuthenticator
from tests.auth.support import ME, code, pair, refresh, sign_in, whoami
from tests.support import Account, FrozenClock


async def test_without_a_bearer_token_the_challenge_is_bare(client: httpx.AsyncClient) -> None:
    for header in (None, "Basic Og==", "Digest x", "Negotiate", "Bearers x"):
        answer = await client.get(ME, headers={"Authorization": header} if header else {})
        assert code(answer) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_scheme_is_known_in_any_case(client: httpx.AsyncClient, ann: Account) -> None:
    for scheme in ("Bearer", "bearer", "BEARER", "Bearer "):
        headers = {"Authorization": f"{scheme} {ann.access_token}"}
        assert (await client.get(ME, headers=headers)).status_code == 200


@pytest.mark.parametrize("planned", [True, False])
async def test_a_caller_is_found_out_once(
    client: httpx.AsyncClient,
    ann: Account,
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    *,
    planned: bool,
) -> None:
    """The endpoint and its Idempotency-Key ask for other scopes."""
    asked: list[str] = []
    authenticate = SessionAuthenticator.authenticate

    async def noted(self: SessionAuthenticator, token: str) -> Principal:
        asked.append(token)
        return await authenticate(self, token)

    monkeypatch.setattr(SessionAuthenticator, "authenticate", noted)
    if not planned:
        app.dependency_overrides[noted] = noted
    post = {"title": "A post", "body": "x"}
    answer = await client.post("/api/v1/posts", json=post, headers=ann.headers)
    assert answer.status_code == 201
    assert asked == [ann.access_token]


async def test_no_other_blank_is_taken_for_a_space(client: httpx.AsyncClient, ann: Account) -> None:
    for blank in (b"\xa0", b"\x85", b"\t", b"\x1f"):
        answer = await whoami(client, blank + ann.access_token.encode())
        assert code(answer) == (401, "invalid_access_token"), blank


async def test_a_token_comes_once_and_in_the_header_only(
    client: httpx.AsyncClient, ann: Account
) -> None:
    once = ("Authorization", f"Bearer {ann.access_token}")
    query = {"access_token": ann.access_token}
    form = {"access_token": ann.access_token}
    refused = [
        await client.get(ME, headers=[once, once]),
        await client.get(ME, headers=[once, ("Authorization", "Bearer other")]),
        await client.get(ME, params=query),
        await client.get(ME, params=query, headers=[once]),
        await client.get(ME, params={"x": "1"} | query, headers=[once]),
        await client.patch(ME, params=query, json={"bio": "x"}),
    ]
    for answer in refused:
        assert code(answer) == (400, "malformed_credentials")
        assert 'error="invalid_request"' in answer.headers["www-authenticate"]
        assert ann.access_token not in answer.text
    in_the_body = await client.request("GET", ME, data=form)
    assert code(in_the_body) == (401, "not_authenticated")
    in_a_cookie = await client.get(ME, headers={"Cookie": f"access_token={ann.access_token}"})
    assert code(in_a_cookie) == (401, "not_authenticated")


@pytest.mark.parametrize("used_before", [True, False])
async def test_a_token_holds_for_ten_minutes(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, *, used_before: bool
) -> None:
    access, _ = pair(await refresh(client, ann.refresh_token))
    clock.advance(timedelta(minutes=10) - timedelta(seconds=1))
    if used_before:
        assert (await whoami(client, access)).status_code == 200
    clock.advance(timedelta(seconds=1))
    answer = await whoami(client, access)
    assert code(answer) == (401, "invalid_access_token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_an_older_access_token_holds_after_a_refresh(
    client: httpx.AsyncClient, ann: Account
) -> None:
    pair(await refresh(client, ann.refresh_token))
    assert (await whoami(client, ann.access_token)).status_code == 200


@pytest.mark.parametrize(
    ("scope", "method", "missing"),
    [
        ("profile:write", "GET", "profile:read"),
        ("profile:read", "PATCH", "profile:read profile:write"),
        ("posts:read posts:write", "PATCH", "profile:read profile:write"),
    ],
)
async def test_a_missing_scope_is_a_403_that_names_it(
    client: httpx.AsyncClient, ann: Account, scope: str, method: str, missing: str
) -> None:
    access, _ = pair(await sign_in(client, "ann", scope=scope))
    headers = {"Authorization": f"Bearer {access}"}
    answer = await client.request(method, ME, headers=headers, json={"bio": "changed"})
    assert code(answer) == (403, "insufficient_scope")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert 'error="insufficient_scope"' in challenge
    assert f'scope="{missing}"' in challenge
    assert (await client.get(ME, headers=ann.headers)).json()["bio"] == ""


async def test_wrong_credentials_are_refused_where_none_are_needed(
    client: httpx.AsyncClient, ann: Account
) -> None:
    posts = "/api/v1/posts"
    assert (await client.get(posts)).status_code == 200
    assert (await client.get(posts, headers=ann.headers)).status_code == 200
    forged = await client.get(posts, headers={"Authorization": "Bearer forged"})
    assert code(forged) == (401, "invalid_access_token")
