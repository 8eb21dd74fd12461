"""The list of tags, and how many published posts each has."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from src.sql.listing import encode_cursor
from tests.conftest import execute
from tests.posts.support import change, trash, write
from tests.support import START, Account, Accounts, problem_of, query

TAGS = "/api/v1/tags"
REAL = """
    SELECT tag, count(*) FROM posts, unnest(tags) AS tag
    WHERE status = 'published' AND deleted_at IS NULL GROUP BY tag ORDER BY tag COLLATE "C"
"""


async def tags(client: httpx.AsyncClient, **which: Any) -> dict[str, int]:
    """The tags in their order, and their counts."""
    answer = await client.get(TAGS, params=which)
    assert answer.status_code == 200, answer.text
    return {tag["name"]: tag["posts_count"] for tag in answer.json()["items"]}


async def every(client: httpx.AsyncClient, **which: Any) -> list[str]:
    """The names on all pages."""
    names: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(TAGS, params=which | cursor)).json()
        names += [tag["name"] for tag in page["items"]]
        if page["next_cursor"] is None:
            return names
        cursor = {"cursor": page["next_cursor"]}


async def test_only_published_posts_count(
    client: httpx.AsyncClient, ann: Account, database_url: str
) -> None:
    post = await write(client, ann, tags=["a", "b"])
    assert await tags(client) == {}
    await change(client, ann, post, status="published")
    assert await tags(client) == {"a": 1, "b": 1}
    await write(client, ann, tags=["b", "c"], status="published")
    assert await tags(client) == {"b": 2, "a": 1, "c": 1}
    await change(client, ann, post, tags=["c", "d"])
    assert await tags(client) == {"c": 2, "b": 1, "d": 1}
    await change(client, ann, post, title="Another")
    assert await tags(client) == {"c": 2, "b": 1, "d": 1}
    await trash(client, ann, post)
    assert await tags(client) == {"b": 1, "c": 1}
    await client.post(f"/api/v1/posts/{post['id']}/restore", headers=ann.headers)
    assert await tags(client) == {"c": 2, "b": 1, "d": 1}
    await change(client, ann, post, status="draft")
    assert await tags(client) == {"b": 1, "c": 1}
    await execute(database_url, "DELETE FROM users")
    assert await tags(client) == {}
    assert await query(database_url, "SELECT FROM tags") == []


@pytest.fixture
async def written(client: httpx.AsyncClient, ann: Account) -> None:
    """Tags of one to three posts."""
    for names in (["boats", "boat", "c++"], ["boats", "c#", "лодка"], ["boats", "c++"]):
        await write(client, ann, tags=names, status="published")


async def test_the_most_used_come_first(client: httpx.AsyncClient, written: None) -> None:
    expected = ["boats", "c++", "boat", "c#", "лодка"]
    for limit in (1, 2, 3, 100):
        assert await every(client, limit=limit) == expected
    assert list(await tags(client, sort="count")) == expected


async def test_or_by_name(client: httpx.AsyncClient, written: None) -> None:
    expected = ["boat", "boats", "c#", "c++", "лодка"]
    for limit in (1, 2, 3, 100):
        assert await every(client, sort="name", limit=limit) == expected


async def test_by_what_they_begin_with(client: httpx.AsyncClient, written: None) -> None:
    for q, expected in {
        "boat": ["boats", "boat"],
        " BOATS ": ["boats"],
        "C": ["c++", "c#"],
        "Лод": ["лодка"],
        "oats": [],
    }.items():
        for limit in (1, 20):
            assert await every(client, q=q, limit=limit) == expected
            assert await every(client, q=q, limit=limit, sort="name") == sorted(expected)


async def test_the_longest_tag_has_a_cursor(client: httpx.AsyncClient, ann: Account) -> None:
    longest = "\U00020000" * 40
    await write(client, ann, tags=[longest, "\U00020001"], status="published")
    for sort in ("name", "count"):
        assert await every(client, limit=1, sort=sort) == [longest, "\U00020001"]


async def test_wrong_queries_are_refused(client: httpx.AsyncClient) -> None:
    for parameter, values in {
        "q": ["", "%", "a b", "a\0", "x" * 41],
        "sort": ["best"],
        "limit": ["0", "101"],
        "cursor": ["", "x", "AAAA", "AAAAAAA=", "_____2E=", "AAAAAf8=", "x" * 251],
    }.items():
        for value in values:
            answer = await client.get(TAGS, params={parameter: value})
            [error] = problem_of(answer, 422, "validation_error")["errors"]
            assert error["loc"] == ["query", parameter], value
    answer = await client.get(TAGS, params={"cursor": encode_cursor(START, UUID(int=7))})
    assert answer.status_code in {200, 422}


async def test_changes_at_once_are_all_counted(
    client: httpx.AsyncClient, accounts: Accounts, database_url: str
) -> None:
    people = [await accounts.sign_in(f"writer-{number}") for number in range(4)]
    posts = [
        (who, await write(client, who, tags=sorted("abc", reverse=who is people[0])))
        for who in people
        for _ in range(4)
    ]
    steps: list[dict[str, Any]] = [
        {"status": "published"},
        {"tags": ["c", "b"]},
        {"tags": ["d", "a"]},
        {"status": "draft"},
        {"status": "published"},
    ]
    answers = await asyncio.gather(
        *(
            client.patch(f"/api/v1/posts/{post['id']}", json=step, headers=who.headers)
            for step in steps
            for who, post in posts
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    await execute(database_url, "DELETE FROM users WHERE username IN ('writer-0', 'writer-1')")
    real = [tuple(row) for row in await query(database_url, REAL)]
    kept = await query(database_url, "SELECT name, posts_count FROM tags ORDER BY name")
    assert [tuple(row) for row in kept] == real
    assert real
