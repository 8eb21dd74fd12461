"""The feed: what those publish whom one follows, however seldom they do."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from src.posts.following import lists
from tests.posts.support import POSTS, trash, write
from tests.support import Account, Accounts, FrozenClock, problem_of

FEED = "/api/v1/feed"


async def pages(client: httpx.AsyncClient, me: Account, **parameters: Any) -> list[list[str]]:
    """The titles of every page."""
    found: list[list[str]] = []
    url: str | None = str(httpx.URL(FEED, params=parameters))
    while url:
        answer = await client.get(url, headers=me.headers)
        assert answer.status_code == 200, answer.text
        found.append([post["title"] for post in answer.json()["items"]])
        url = answer.links.get("next", {}).get("url")
    return found


async def follow(client: httpx.AsyncClient, me: Account, username: str) -> None:
    """Follow a user."""
    answer = await client.put(f"/api/v1/users/{username}/follow", headers=me.headers)
    assert answer.status_code == 204, answer.text


@pytest.fixture
async def published(
    client: httpx.AsyncClient, accounts: Accounts, bob: Account, clock: FrozenClock
) -> list[dict[str, Any]]:
    """Posts of Bob, Eve and Zoe in turn, 0 to 8."""
    eve, zoe = await accounts.sign_in("eve"), await accounts.sign_in("zoe")
    posts = []
    for number in range(9):
        author = (bob, eve, zoe)[number % 3]
        posts.append(await write(client, author, title=str(number), status="published"))
        clock.advance(timedelta(seconds=1))
    return posts


@pytest.mark.parametrize("looked_through", [1, 2, 3, 2000])
async def test_those_one_follows_are_in_it_newest_first(
    client: httpx.AsyncClient,
    ann: Account,
    published: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    looked_through: int,
) -> None:
    monkeypatch.setattr(lists, "LOOKED_THROUGH", looked_through)
    lists._lists.cache_clear()
    assert await pages(client, ann) == [[]]
    for username in ("bob", "zoe"):
        await follow(client, ann, username)
    whole = ["8", "6", "5", "3", "2", "0"]
    assert await pages(client, ann) == [whole]
    for limit in (1, 2, 4, 5):
        split = [whole[start : start + limit] for start in range(0, len(whole), limit)]
        assert await pages(client, ann, limit=limit) == split
    lists._lists.cache_clear()


async def test_only_what_everybody_can_read_is_in_it(
    client: httpx.AsyncClient, ann: Account, bob: Account, published: list[dict[str, Any]]
) -> None:
    await follow(client, ann, "bob")
    await write(client, bob, title="Draft")
    await trash(client, bob, published[6])
    await client.put(f"{POSTS}/{published[3]['id']}/like", headers=ann.headers)
    answer = (await client.get(FEED, headers=ann.headers)).json()
    assert [(post["title"], post["liked"]) for post in answer["items"]] == [
        ("3", True),
        ("0", False),
    ]
    full = (await client.get(f"{FEED}?fields=full", headers=ann.headers)).json()
    assert [post["body"] for post in full["items"]] == ["Its text"] * 2
    await client.put("/api/v1/users/ann/block", headers=bob.headers)
    assert await pages(client, ann) == [[]]


@pytest.mark.parametrize(
    "query", ["cursor=x", "limit=0", "limit=101", "fields=full&limit=21", "author=bob", "q=x"]
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, ann: Account, query: str
) -> None:
    problem_of(await client.get(f"{FEED}?{query}", headers=ann.headers), 422, "validation_error")
    problem_of(await client.get(FEED), 401, "not_authenticated")
