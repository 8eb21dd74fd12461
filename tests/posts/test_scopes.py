"""What a token allows (RFC 6750, section 3.1)."""

from typing import Any

import httpx
import pytest

from tests.posts.support import POSTS, change, titles, write
from tests.support import Account, Accounts, problem_of


def refused(answer: httpx.Response, scope: str) -> None:
    """The token lacks that scope."""
    problem_of(answer, 403, "insufficient_scope")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert 'error="insufficient_scope"' in challenge
    assert f'scope="{scope}"' in challenge


async def with_scope(accounts: Accounts, scope: str) -> dict[str, str]:
    """The Authorization header of ann, who asked for that scope only."""
    tokens = (await accounts.token("ann", scope=scope)).json()
    assert tokens["scope"] == scope
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@pytest.mark.parametrize("scope", ["posts:read", "profile:read profile:write"])
async def test_writing_needs_posts_write(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, scope: str
) -> None:
    post = await write(client, ann)
    narrow = await with_scope(accounts, scope)
    path = f"{POSTS}/{post['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("POST", POSTS, {"title": "B", "body": "x"}),
        ("DELETE", path, None),
    ]
    for method, url, json in calls:
        answer = await client.request(method, url, json=json, headers=narrow)
        refused(answer, "posts:write")
    refused(await client.patch(path, json={"title": "B"}, headers=narrow), "posts:read posts:write")
    assert (await client.get(path, headers=ann.headers)).json() == post
    assert await titles(client, ann, status="draft") == ["A post"]


async def test_a_change_is_answered_with_the_post_so_it_needs_posts_read_too(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    post = await write(client, ann, body="a secret")
    narrow = await with_scope(accounts, "posts:write")
    for json in ({}, {"title": "B"}, {"status": "published"}):
        answer = await client.patch(f"{POSTS}/{post['id']}", json=json, headers=narrow)
        refused(answer, "posts:read posts:write")
        assert "a secret" not in answer.text
    assert (await client.get(f"{POSTS}/{post['id']}", headers=ann.headers)).json() == post


async def test_a_repeated_key_tells_a_narrow_token_what_it_sent_and_nothing_newer(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    keyed = {"Idempotency-Key": "one"}
    sent = {"title": "A post", "body": "As it was sent"}
    first = await client.post(POSTS, json=sent, headers=ann.headers | keyed)
    await change(client, ann, first.json(), body="a secret")
    narrow = await with_scope(accounts, "posts:write") | keyed
    again = await client.post(POSTS, json=sent, headers=narrow)
    assert (again.status_code, again.content) == (201, first.content)
    another = await client.post(POSTS, json=sent | {"body": "a guess"}, headers=narrow)
    problem_of(another, 422, "idempotency_key_reused")
    reader = await with_scope(accounts, "posts:read") | keyed
    refused(await client.post(POSTS, json=sent, headers=reader), "posts:write")


async def test_ones_own_drafts_need_posts_read(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    post = await write(client, ann)
    writer = await with_scope(accounts, "posts:write")
    answer = await client.get(f"{POSTS}?status=draft", headers=writer)
    refused(answer, "posts:read")
    answer = await client.get(f"{POSTS}/{post['id']}", headers=writer)
    problem_of(answer, 404, "not_found")
    reader = await with_scope(accounts, "posts:read")
    listed = (await client.get(f"{POSTS}?status=draft&fields=full", headers=reader)).json()
    assert listed["items"] == [post]
    assert (await client.get(f"{POSTS}/{post['id']}", headers=reader)).json() == post


async def test_published_posts_need_no_scope_but_no_bad_token_either(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    post = await write(client, ann, status="published")
    narrow = await with_scope(accounts, "profile:read")
    for path in (POSTS, f"{POSTS}/{post['id']}"):
        assert (await client.get(path, headers=narrow)).status_code == 200
        answer = await client.get(path, headers={"Authorization": "Bearer nonsense"})
        problem_of(answer, 401, "invalid_access_token")
