"""Slugs in use: unique, plain while that is free, and leading to their post for ever."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import insert, text

from src.database import Database
from src.ids import uuid7
from src.posts.models import PostSlug
from src.posts.slugs.registry import MAX_FORMER, free_slug
from tests.posts.support import POSTS, change, trash, write
from tests.support import START, Account, FrozenClock, problem_of


async def slugs(client: httpx.AsyncClient, author: Account, *titles: str) -> list[str]:
    """The slugs of posts written one after the other."""
    return [(await write(client, author, title=title))["slug"] for title in titles]


async def test_the_first_post_of_a_title_has_the_plain_slug_and_others_numbers(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    assert await slugs(client, ann, "Hello", "Hello!", "Привет, мир") == [
        "hello",
        "hello-2",
        "privet-mir",
    ]
    assert await slugs(client, bob, "hello", "Hello 2", "HELLO") == [
        "hello-3",
        "hello-2-2",
        "hello-4",
    ]


async def test_at_once_each_gets_another_and_no_number_is_left_out(
    client: httpx.AsyncClient, ann: Account
) -> None:
    posts = await asyncio.gather(*(write(client, ann, title="Hello") for _ in range(20)))
    expected = {"hello", *(f"hello-{number}" for number in range(2, 21))}
    assert {post["slug"] for post in posts} == expected


async def test_a_repeated_request_takes_no_second_slug(
    client: httpx.AsyncClient, ann: Account
) -> None:
    await write(client, ann, title="Hello")
    post = {"title": "Hello", "body": "x", "status": "published"}
    headers = ann.headers | {"Idempotency-Key": "hello"}
    answers = [await client.post(POSTS, json=post, headers=headers) for _ in range(2)]
    assert [answer.json()["slug"] for answer in answers] == ["hello-2", "hello-2"]
    assert await slugs(client, ann, "Hello") == ["hello-3"]


async def test_at_once_they_take_the_slug_of_one_title_by_changing_theirs(
    client: httpx.AsyncClient, ann: Account
) -> None:
    posts = [await write(client, ann, title=f"Post {number}") for number in range(10)]
    changed = await asyncio.gather(*(change(client, ann, post, title="Hello") for post in posts))
    expected = {"hello", *(f"hello-{number}" for number in range(2, 11))}
    assert {post["slug"] for post in changed} == expected


async def test_a_slug_may_be_asked_for(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, title="Hello", slug="Добрый день!")
    assert post["slug"] == "dobryy-den"
    assert (await write(client, ann, slug="dobryy-den"))["slug"] == "dobryy-den-2"
    assert (await change(client, ann, post, slug="other", title="Bye"))["slug"] == "other"
    for slug in ("", " ", None, 1, "a\nb", "x" * 201):
        answer = await client.patch(
            f"{POSTS}/{post['id']}", json={"slug": slug}, headers=ann.headers
        )
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["body", "slug"]


async def test_a_former_slug_leads_to_the_one_of_now(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann, title="Before", status="published")
    changed = await change(client, ann, post, title="After")
    assert changed["slug"] == "after"
    for former in ("before", "Before"):
        answer = await client.get(f"{POSTS}/{former}")
        assert (answer.status_code, answer.headers["location"]) == (301, f"{POSTS}/after")
        assert answer.headers["cache-control"] == "private, no-cache"
    assert (await client.get("/api/v1/posts/after")).json() == changed
    for path in ("before", "after"):
        answer = await client.patch(f"{POSTS}/{path}", json={"summary": path}, headers=ann.headers)
        assert answer.json()["summary"] == path


async def test_what_one_may_not_see_leads_nowhere(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    draft = await write(client, ann, title="Before")
    await change(client, ann, draft, title="After")
    problem_of(await client.get(f"{POSTS}/before"), 404, "not_found")
    problem_of(await client.get(f"{POSTS}/before", headers=bob.headers), 404, "not_found")
    assert (await client.get(f"{POSTS}/before", headers=ann.headers)).status_code == 301
    await trash(client, ann, draft)
    problem_of(await client.get(f"{POSTS}/before", headers=ann.headers), 404, "not_found")


async def test_nobody_else_gets_a_former_slug_and_its_post_may_have_it_back(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    post = await write(client, ann, title="Before", status="published")
    await change(client, ann, post, title="After")
    assert await slugs(client, bob, "Before") == ["before-2"]
    again = await change(client, ann, post, title="Before")
    assert again["slug"] == "before"
    assert (await client.get(f"{POSTS}/before")).json() == again
    assert (await client.get(f"{POSTS}/after")).headers["location"] == f"{POSTS}/before"


@pytest.mark.parametrize("title", ["hello", "HELLO!", "Hello"])
async def test_the_slug_stays_while_it_fits_the_title(
    client: httpx.AsyncClient, ann: Account, title: str
) -> None:
    await write(client, ann, title="Hello")
    second = await write(client, ann, title="Hello")
    assert (await change(client, ann, second, title=title, body="New"))["slug"] == "hello-2"


async def test_the_slug_that_was_asked_for_stays_while_the_title_does(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann, title="Hello", slug="greeting")
    assert (await change(client, ann, post, title="Hello", body="New"))["slug"] == "greeting"
    assert (await change(client, ann, post, title="Bye"))["slug"] == "bye"


async def test_of_many_former_slugs_the_oldest_is_free_again(
    client: httpx.AsyncClient, ann: Account, bob: Account, clock: FrozenClock
) -> None:
    """Nobody can keep every word for themselves."""
    post = await write(client, ann, title="Word 0", slug="first")
    for number in range(MAX_FORMER + 1):
        clock.advance(timedelta(seconds=1))
        post = await change(client, ann, post, slug=f"word-{number}")
    assert await slugs(client, bob, "First", "Word 0") == ["first", "word-0-2"]


@pytest.mark.parametrize("count", [1, 8, 9, 15, 16, 100, 1000, 5000])
async def test_the_end_of_many_posts_of_one_title_is_found(database: Database, count: int) -> None:
    post_id = uuid7()
    async with database.independent_transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        await session.execute(
            insert(PostSlug),
            [
                {"slug": f"hello-{number}", "post_id": post_id, "taken_at": START}
                for number in range(2, count + 2)
            ],
        )
    assert await free_slug(database.reads, "hello") == f"hello-{count + 2}"
    assert await free_slug(database.reads, "hello", post_id) == "hello-2"
