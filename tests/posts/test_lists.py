"""Lists of posts: filters, fields, order, and whose drafts they show."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.posts.support import POSTS, change, titles, trash, write
from tests.support import Account, Accounts, FrozenClock, problem_of


@pytest.fixture
async def published(
    client: httpx.AsyncClient, ann: Account, bob: Account, clock: FrozenClock
) -> None:
    """Posts a1, b1, a2 of two authors, a day apart from noon of the first of March, and drafts."""
    for author, title, tags in ((ann, "a1", ["x"]), (bob, "b1", ["x", "y"]), (ann, "a2", ["y"])):
        await write(client, author, title=title, tags=tags, status="published")
        clock.advance(timedelta(days=1))
    await write(client, ann, title="ann's draft", tags=["x"])
    await write(client, bob, title="bob's draft", tags=["x"])


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["a2", "b1", "a1"]),
    ({"status": "published"}, ["a2", "b1", "a1"]),
    ({"author": "ann"}, ["a2", "a1"]),
    ({"author": " ANN "}, ["a2", "a1"]),
    ({"author": "nobody"}, []),
    ({"tag": "x"}, ["b1", "a1"]),
    ({"tag": " X "}, ["b1", "a1"]),
    ({"tag": "z"}, []),
    ({"author": "ann", "tag": "x"}, ["a1"]),
    ({"published_after": "2026-03-01T18:00:00Z"}, ["a2", "b1"]),
    ({"published_before": "2026-03-01T18:00:00Z"}, ["a1"]),
    (
        {
            "published_after": "2026-03-02T01:00:00+02:00",
            "published_before": "2026-03-03T00:00:00Z",
        },
        ["b1"],
    ),
    ({"published_after": "0001-01-01T00:00:00Z"}, ["a2", "b1", "a1"]),
    ({"published_before": "9999-12-31T23:59:59Z"}, ["a2", "b1", "a1"]),
    ({"author": "ann", "tag": "y", "published_after": "2026-03-02T00:00:00Z"}, ["a2"]),
    ({"limit": 2}, ["a2", "b1"]),
]


async def test_filters_narrow_the_published_posts(
    client: httpx.AsyncClient, ann: Account, published: None
) -> None:
    for filters, expected in FILTERS:
        for reader in (None, ann):
            assert await titles(client, reader, **filters) == expected, filters


async def test_drafts_are_ones_own(
    client: httpx.AsyncClient, ann: Account, bob: Account, published: None
) -> None:
    assert await titles(client, ann, status="draft") == ["ann's draft"]
    assert await titles(client, bob, status="draft") == ["bob's draft"]
    assert await titles(client, ann, status="draft", author="bob") == []
    assert await titles(client, ann, status="draft", tag="x") == ["ann's draft"]
    problem_of(await client.get(f"{POSTS}?status=draft"), 401, "not_authenticated")


async def test_any_status_lists_all_of_ones_own(
    client: httpx.AsyncClient, ann: Account, bob: Account, published: None
) -> None:
    assert sorted(await titles(client, ann, status="any")) == ["a1", "a2", "ann's draft"]
    assert await titles(client, bob, status="any") == ["bob's draft", "b1"]
    assert await titles(client, ann, status="any", author="bob") == []
    assert await titles(client, bob, status="any", tag="y") == ["b1"]
    problem_of(await client.get(f"{POSTS}?status=any"), 401, "not_authenticated")


async def test_any_status_comes_newest_first_page_by_page_without_the_trash(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    for number in range(5):
        status = "published" if number % 2 else "draft"
        await write(client, ann, title=str(number), status=status)
        clock.advance(timedelta(minutes=1))
    await trash(client, ann, await write(client, ann))
    found: list[str] = []
    url: str | None = f"{POSTS}?status=any&limit=2"
    while url:
        page = await client.get(url, headers=ann.headers)
        found += [post["title"] for post in page.json()["items"]]
        url = page.links.get("next", {}).get("url")
    assert found == list("43210")


async def test_drafts_come_newest_first_page_by_page(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    for number in range(5):
        await write(client, ann, title=str(number))
        clock.advance(timedelta(minutes=1))
    first = (await client.get(f"{POSTS}?status=draft&limit=3", headers=ann.headers)).json()
    found = [post["title"] for post in first["items"]]
    found += await titles(client, ann, status="draft", limit=3, cursor=first["next_cursor"])
    assert found == list("43210")


async def test_publishing_moves_a_post_to_the_front(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    early = await write(client, ann, title="early")
    clock.advance(timedelta(seconds=1))
    await write(client, ann, title="late", status="published")
    clock.advance(timedelta(seconds=1))
    await change(client, ann, early, status="published")
    assert await titles(client) == ["early", "late"]


async def test_the_text_comes_only_when_asked_for(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, status="published")
    [short] = (await client.get(POSTS)).json()["items"]
    [full] = (await client.get(POSTS, params={"fields": "full"})).json()["items"]
    assert full == post
    assert short == {name: post[name] for name in post if name not in {"body", "body_html"}}


async def test_fewer_full_texts_fit_on_a_page(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{POSTS}?fields=full&limit=100")
    problem_of(answer, 422, "validation_error")
    for query in ("fields=full", "fields=summary&limit=100"):
        assert (await client.get(f"{POSTS}?{query}")).status_code == 200


async def test_a_list_shows_the_author_as_they_are_now(
    client: httpx.AsyncClient, ann: Account
) -> None:
    await write(client, ann, status="published")
    await client.patch("/api/v1/users/me", json={"display_name": "Anne"}, headers=ann.headers)
    [post] = (await client.get(POSTS)).json()["items"]
    assert post["author"]["display_name"] == "Anne"


WRONG_QUERIES = [
    "status=deleted",
    "status=",
    "fields=all",
    "author=a",
    "author=a%00b",
    "tag=",
    "tag=a,b",
    "tag=%00",
    "tag=" + "x" * 41,
    "published_after=yesterday",
    "published_after=0",
    "published_after=1767225600.0",
    "published_after=2026-03-01T12:00:00",
    "published_before=1e400",
    "published_before=99999-01-01T00:00:00Z",
    "page=2",
    "order_by=id;DROP TABLE posts",
]


async def test_an_unknown_filter_or_value_is_refused(client: httpx.AsyncClient) -> None:
    for query in WRONG_QUERIES:
        answer = await client.get(f"{POSTS}?{query}")
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["query", query.partition("=")[0]]


async def test_deactivated_authors_posts_stay_readable_and_their_drafts_closed(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    await write(client, ann, title="still here", status="published")
    async with accounts.app.state.database.independent_transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE users SET is_active = false")
    assert await titles(client) == ["still here"]
    answer = await client.get(f"{POSTS}?status=draft", headers=ann.headers)
    problem_of(answer, 401, "invalid_access_token")


async def test_a_list_by_tag_is_planned_for_the_tag(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    """The plan for any tag walks all the posts for a rare one."""
    await write(client, ann, tags=["rare"], status="published")
    for _ in range(10):
        assert len((await client.get(f"{POSTS}?tag=rare")).json()["items"]) == 1
        await client.get(POSTS)
    prepared = await app.state.database.reads.fetch(
        "SELECT statement, generic_plans FROM pg_prepared_statements", []
    )
    generic = [row["statement"] for row in prepared if row["generic_plans"]]
    assert generic
    assert not [statement for statement in generic if "@>" in statement]


async def test_a_page_of_long_texts_ends_early(client: httpx.AsyncClient, ann: Account) -> None:
    for number in range(4):
        await write(client, ann, title=str(number), body="&" * 50_000, status="published")
    url: str | None = f"{POSTS}?fields=full"
    pages = []
    while url:
        page = await client.get(url)
        pages.append([post["title"] for post in page.json()["items"]])
        url = page.links["next"]["url"] if page.links else None
    assert pages == [["3"], ["2"], ["1"], ["0"]]
    assert len((await client.get(POSTS)).json()["items"]) == 4


async def test_a_newline_at_the_end_of_a_path_belongs_to_it(
    client: httpx.AsyncClient, ann: Account
) -> None:
    for title in ("A", "B"):
        await write(client, ann, title=title, status="published")
    problem_of(await client.get(f"{POSTS}%0a?limit=1"), 404, "not_found")
    new = {"title": "C", "body": "x", "status": "published"}
    problem_of(await client.post(f"{POSTS}%0a", json=new, headers=ann.headers), 404, "not_found")
    problem_of(await client.get("/api/v1/users/me%0a", headers=ann.headers), 404, "not_found")
    assert await titles(client) == ["B", "A"]
