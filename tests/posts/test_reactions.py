"""Likes and bookmarks: whose they are, what they show, and how many there are."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.conftest import execute
from tests.posts.support import POSTS, change, titles, trash, write
from tests.support import Account, Accounts, FrozenClock, problem_of, query

BOOKMARKS = "/api/v1/users/me/bookmarks"


async def react(
    client: httpx.AsyncClient, who: Account, post: dict[str, Any], what: str, method: str = "PUT"
) -> None:
    """PUT or DELETE a like or a bookmark."""
    answer = await client.request(method, f"{POSTS}/{post['id']}/{what}", headers=who.headers)
    assert (answer.status_code, answer.content) == (204, b"")


async def seen(
    client: httpx.AsyncClient, post: dict[str, Any], viewer: Account | None = None
) -> tuple[int, bool, bool]:
    """What the post says of reactions: the same wherever it is read."""
    headers = viewer.headers if viewer else {}
    read = (await client.get(f"{POSTS}/{post['id']}", headers=headers)).json()
    found = read["likes_count"], read["liked"], read["bookmarked"]
    by_slug = (await client.get(f"{POSTS}/{post['slug']}", headers=headers)).json()
    assert by_slug == read
    for sort in ("newest", "oldest", "popular"):
        for fields in ("summary", "full"):
            query = {"sort": sort, "fields": fields}
            answer = await client.get(POSTS, params=query, headers=headers)
            [listed] = [one for one in answer.json()["items"] if one["id"] == post["id"]]
            assert (listed["likes_count"], listed["liked"], listed["bookmarked"]) == found
    return found


async def bookmarked(client: httpx.AsyncClient, who: Account, **page: Any) -> list[str]:
    """The titles of the first page."""
    answer = await client.get(BOOKMARKS, params=page, headers=who.headers)
    assert answer.status_code == 200, answer.text
    return [post["title"] for post in answer.json()["items"]]


async def counts(database_url: str) -> list[tuple[int, int]]:
    """Each post's count, and how many likes there are."""
    rows = await query(
        database_url,
        "SELECT likes_count, (SELECT count(*) FROM likes WHERE post_id = posts.id) FROM posts",
    )
    return [tuple(row) for row in rows]


@pytest.fixture
async def post(client: httpx.AsyncClient, ann: Account) -> dict[str, Any]:
    return await write(client, ann, status="published")


async def test_each_viewer_sees_their_own(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    await react(client, bob, post, "like")
    await react(client, ann, post, "bookmark")
    assert await seen(client, post) == (1, False, False)
    assert await seen(client, post, ann) == (1, False, True)
    assert await seen(client, post, bob) == (1, True, False)
    await react(client, ann, post, "like")
    assert await seen(client, post, ann) == (2, True, True)
    await react(client, ann, post, "like", "DELETE")
    await react(client, ann, post, "bookmark", "DELETE")
    assert await seen(client, post, ann) == (1, False, False)


async def test_once_more_changes_nothing(
    client: httpx.AsyncClient, bob: Account, post: dict[str, Any], clock: FrozenClock
) -> None:
    for what in ("like", "bookmark"):
        for _ in range(2):
            await react(client, bob, post, what)
    assert await seen(client, post, bob) == (1, True, True)
    for what in ("like", "bookmark"):
        for _ in range(2):
            await react(client, bob, post, what, "DELETE")
    assert await seen(client, post, bob) == (0, False, False)


async def test_a_slug_names_the_post_too(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    await change(client, ann, post, title="Another")
    for slug in (post["slug"], "another"):
        answer = await client.put(f"{POSTS}/{slug}/like", headers=bob.headers)
        assert answer.status_code == 204
    assert (await client.get(f"{POSTS}/another")).json()["likes_count"] == 1


async def test_a_like_changes_neither_version_nor_time(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any], clock: FrozenClock
) -> None:
    path = f"{POSTS}/{post['id']}"
    before = await client.get(path, headers=bob.headers)
    clock.advance(timedelta(hours=1))
    await react(client, bob, post, "like")
    known = bob.headers | {"If-None-Match": before.headers["etag"]}
    after = await client.get(path, headers=known)
    assert after.json() == before.json() | {"likes_count": 1, "liked": True}
    edited = await client.patch(
        path, json={"title": "B"}, headers=ann.headers | {"If-Match": before.headers["etag"]}
    )
    assert edited.status_code == 200


@pytest.mark.parametrize("what", ["like", "bookmark"])
async def test_only_what_one_sees(
    client: httpx.AsyncClient, ann: Account, bob: Account, what: str
) -> None:
    draft = await write(client, ann)
    gone = await write(client, ann, status="published")
    await trash(client, ann, gone)
    for method in ("PUT", "DELETE"):
        for key in (draft["id"], draft["slug"], gone["id"], "nothing", f"{'0' * 200}"):
            answer = await client.request(method, f"{POSTS}/{key}/{what}", headers=bob.headers)
            problem_of(answer, 404, "not_found")
        answer = await client.request(method, f"{POSTS}/{gone['id']}/{what}", headers=ann.headers)
        problem_of(answer, 404, "not_found")
        answer = await client.request(method, f"{POSTS}/{draft['id']}/{what}")
        problem_of(answer, 401, "not_authenticated")
        await react(client, ann, draft, what, method)


@pytest.mark.parametrize("what", ["like", "bookmark"])
async def test_ones_own_can_be_taken_back_from_what_one_sees_no_more(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any], what: str
) -> None:
    await react(client, bob, post, what)
    await change(client, ann, post, status="draft")
    answer = await client.put(f"{POSTS}/{post['id']}/{what}", headers=bob.headers)
    problem_of(answer, 404, "not_found")
    await react(client, bob, post, what, "DELETE")
    answer = await client.delete(f"{POSTS}/{post['id']}/{what}", headers=bob.headers)
    problem_of(answer, 404, "not_found")
    await change(client, ann, post, status="published")
    assert await seen(client, post, bob) == (0, False, False)


async def test_bookmarks_come_latest_first_page_by_page(
    client: httpx.AsyncClient, ann: Account, bob: Account, clock: FrozenClock
) -> None:
    posts = [await write(client, ann, title=name, status="published") for name in "abcde"]
    for index in (2, 0, 4, 1, 3):
        await react(client, bob, posts[index], "bookmark")
        clock.advance(timedelta(seconds=1))
    await react(client, bob, posts[2], "bookmark")  # is there already
    found: list[str] = []
    url: str | None = f"{BOOKMARKS}?limit=2"
    while url:
        page = await client.get(url, headers=bob.headers)
        found += [one["title"] for one in page.json()["items"]]
        url = page.links.get("next", {}).get("url")
    assert found == list("dbeac")
    assert await bookmarked(client, ann) == []


async def test_a_bookmark_goes_and_comes_back_with_the_post(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    for who in (ann, bob):
        await react(client, who, post, "bookmark")
    await change(client, ann, post, status="draft")
    assert (await bookmarked(client, ann), await bookmarked(client, bob)) == (["A post"], [])
    await change(client, ann, post, status="published")
    assert await bookmarked(client, bob) == ["A post"]
    await trash(client, ann, post)
    assert (await bookmarked(client, ann), await bookmarked(client, bob)) == ([], [])
    await client.post(f"{POSTS}/{post['id']}/restore", headers=ann.headers)
    assert await bookmarked(client, bob) == ["A post"]


async def test_a_bookmark_shows_the_post_as_it_is_read(
    client: httpx.AsyncClient, bob: Account, post: dict[str, Any]
) -> None:
    await react(client, bob, post, "like")
    await react(client, bob, post, "bookmark")
    read = (await client.get(f"{POSTS}/{post['id']}", headers=bob.headers)).json()
    full = await client.get(f"{BOOKMARKS}?fields=full", headers=bob.headers)
    assert full.json()["items"] == [read]
    short = (await client.get(BOOKMARKS, headers=bob.headers)).json()["items"]
    assert short == [{name: read[name] for name in read if name not in {"body", "body_html"}}]
    too_many = await client.get(f"{BOOKMARKS}?fields=full&limit=21", headers=bob.headers)
    problem_of(too_many, 422, "validation_error")


async def test_answers_to_changes_are_what_get_says(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    path = f"{POSTS}/{post['id']}"
    for what in ("like", "bookmark"):
        await react(client, ann, post, what)
    await react(client, bob, post, "like")
    calls: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PATCH", path, {"title": "B", "body": "C"}),
        ("PATCH", path, {}),
        ("POST", f"{path}/unpublish", None),
        ("POST", f"{path}/publish", None),
        ("POST", f"{path}/restore", None),
        ("POST", f"{path}/revisions/1/restore", None),
    ]
    for method, url, json in calls:
        changed = await client.request(method, url, json=json, headers=ann.headers)
        read = await client.get(path, headers=ann.headers)
        assert (changed.status_code, changed.content) == (200, read.content)
        assert changed.headers["etag"] == read.headers["etag"]
        assert (read.json()["likes_count"], read.json()["liked"]) == (2, True)


async def test_a_token_without_posts_read_sees_none(
    client: httpx.AsyncClient, accounts: Accounts, bob: Account, post: dict[str, Any]
) -> None:
    await react(client, bob, post, "like")
    await react(client, bob, post, "bookmark")
    token = (await accounts.token("bob", scope="posts:write")).json()["access_token"]
    narrow = {"Authorization": f"Bearer {token}"}
    read = (await client.get(f"{POSTS}/{post['id']}", headers=narrow)).json()
    [listed] = (await client.get(POSTS, headers=narrow)).json()["items"]
    for one in (read, listed):
        assert (one["likes_count"], one["liked"], one["bookmarked"]) == (1, False, False)
    problem_of(await client.get(BOOKMARKS, headers=narrow), 403, "insufficient_scope")


async def test_they_are_part_of_the_export(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    await react(client, bob, post, "like")
    await react(client, bob, post, "bookmark")
    held = [{"post_id": post["id"], "created_at": "2026-03-01T12:00:00Z"}]
    for who, expected in ((bob, held), (ann, [])):
        answer = await client.get("/api/v1/users/me/export", headers=who.headers)
        export = answer.json()
        assert (export["likes"], export["bookmarks"]) == (expected, expected)


async def test_many_at_once_are_all_counted(
    client: httpx.AsyncClient, accounts: Accounts, post: dict[str, Any], database_url: str
) -> None:
    people = [await accounts.sign_in(f"reader-{number}") for number in range(10)]
    path = f"{POSTS}/{post['id']}/like"
    answers = await asyncio.gather(
        *(client.put(path, headers=one.headers) for one in people for _ in range(2)),
        *(client.delete(path, headers=one.headers) for one in people[:5] for _ in range(2)),
        *(client.put(path, headers=people[0].headers) for _ in range(10)),
        *(client.delete(path, headers=people[0].headers) for _ in range(10)),
    )
    assert {answer.status_code for answer in answers} == {204}
    [(count, likes)] = await counts(database_url)
    assert count == likes
    assert likes >= 5


async def test_a_deleted_account_takes_its_likes_along(
    client: httpx.AsyncClient, ann: Account, bob: Account, database_url: str
) -> None:
    for author in (ann, bob):
        written = await write(client, author, status="published")
        for who in (ann, bob):
            await react(client, who, written, "like")
            await react(client, who, written, "bookmark")
    assert await counts(database_url) == [(2, 2), (2, 2)]
    await execute(database_url, "DELETE FROM users WHERE username = 'bob'")
    assert await counts(database_url) == [(1, 1)]
    assert await bookmarked(client, ann) == ["A post"]


async def test_deleted_posts_take_their_likes_along(
    client: httpx.AsyncClient, ann: Account, bob: Account, database_url: str
) -> None:
    for _ in range(3):
        await react(client, bob, await write(client, ann, status="published"), "like")
    await execute(
        database_url, "DELETE FROM posts WHERE id = (SELECT id FROM posts ORDER BY id LIMIT 1)"
    )
    assert await counts(database_url) == [(1, 1), (1, 1)]
    await execute(database_url, "DELETE FROM posts")
    assert await query(database_url, "SELECT FROM likes") == []


async def test_many_likes_of_one_statement_are_counted(
    client: httpx.AsyncClient, ann: Account, bob: Account, database_url: str
) -> None:
    for _ in range(3):
        await write(client, ann, status="published")
    await execute(
        database_url,
        "INSERT INTO likes SELECT posts.id, users.id, now() FROM posts, users",
        "DELETE FROM likes USING users WHERE users.id = likes.user_id AND username = 'bob'",
    )
    found = await counts(database_url)
    assert len(found) == 3
    assert {count - likes for count, likes in found} == {0}
    assert {likes for _, likes in found} != {0}


class TestSort:
    """The order of lists."""

    @pytest.fixture(autouse=True)
    async def posts(
        self, client: httpx.AsyncClient, ann: Account, bob: Account, clock: FrozenClock
    ) -> None:
        """Posts a to e, a day apart; a and d have a like, c has two."""
        liked = {"a": [ann], "c": [ann, bob], "d": [bob]}
        for name in "abcde":
            author = bob if name == "b" else ann
            tags = ["x"] if name in "ace" else []
            post = await write(client, author, title=name, tags=tags, status="published")
            for who in liked.get(name, []):
                await react(client, who, post, "like")
            clock.advance(timedelta(days=1))

    ORDERS: tuple[tuple[dict[str, str], str], ...] = (
        ({"sort": "newest"}, "edcba"),
        ({"sort": "oldest"}, "abcde"),
        ({"sort": "popular"}, "cdaeb"),
        ({"sort": "popular", "author": "ann"}, "cdae"),
        ({"sort": "popular", "tag": "x"}, "cae"),
        ({"sort": "popular", "published_after": "2026-03-02T00:00:00Z"}, "cdeb"),
        ({"sort": "oldest", "author": "ann"}, "acde"),
        ({"sort": "oldest", "tag": "x"}, "ace"),
        ({"sort": "oldest", "status": "any"}, "acde"),
    )

    async def test_whole_and_page_by_page(self, client: httpx.AsyncClient, ann: Account) -> None:
        for which, expected in self.ORDERS:
            assert await titles(client, ann, **which) == list(expected), which
            found: list[str] = []
            params: dict[str, Any] | None = which | {"limit": 2}
            while params:
                page = await client.get(POSTS, params=params, headers=ann.headers)
                found += [post["title"] for post in page.json()["items"]]
                cursor = page.json()["next_cursor"]
                params = which | {"limit": 2, "cursor": cursor} if cursor else None
            assert found == list(expected), which

    async def test_only_published_posts_come_by_likes(
        self, client: httpx.AsyncClient, ann: Account
    ) -> None:
        for status in ("draft", "any", "trash", "scheduled"):
            answer = await client.get(f"{POSTS}?sort=popular&status={status}", headers=ann.headers)
            [error] = problem_of(answer, 422, "validation_error")["errors"]
            assert error["type"] == "unpublished_unknown"
        problem_of(await client.get(f"{POSTS}?sort=best"), 422, "validation_error")

    async def test_a_cursor_of_another_order_does_no_harm(self, client: httpx.AsyncClient) -> None:
        by_sort = {}
        for sort in ("newest", "oldest", "popular"):
            page = await client.get(f"{POSTS}?sort={sort}&limit=1")
            by_sort[sort] = page.json()["next_cursor"]
        for of, cursor in by_sort.items():
            for sort in by_sort:
                answer = await client.get(POSTS, params={"sort": sort, "cursor": cursor})
                if sort == "popular" != of:
                    [error] = problem_of(answer, 422, "validation_error")["errors"]
                    assert error["type"] == "cursor_invalid"
                else:
                    assert answer.status_code == 200
