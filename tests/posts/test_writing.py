"""Writing posts: drafts, publishing and taking back, changing."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from tests.posts.support import POSTS, change, trash, write
from tests.support import Account, FrozenClock, problem_of

NOON = "2026-03-01T12:00:00Z"


async def test_a_post_is_a_draft_unless_it_says_otherwise(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann, title="  A post  ", body="Its *text*")
    assert UUID(post["id"]).version == 7
    expected: dict[str, object] = {
        "title": "A post",
        "summary": "",
        "body": "Its *text*",
        "body_html": "<p>Its <em>text</em></p>\n",
        "status": "draft",
        "tags": [],
        "author": {
            "id": ann.id,
            "username": "ann",
            "display_name": "Ann",
            "avatar_url": None,
        },
        "cover_url": None,
        "likes_count": 0,
        "comments_count": 0,
        "liked": False,
        "bookmarked": False,
        "version": 1,
        "created_at": NOON,
        "updated_at": NOON,
        "published_at": None,
        "publish_at": None,
        "slug": "a-post",
    }
    assert {name: post[name] for name in expected} == expected
    assert set(post) == {*expected, "id"}


async def test_a_post_may_be_published_at_once(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, status="published", summary="Short", tags=["a"])
    assert (post["status"], post["published_at"]) == ("published", NOON)
    assert (await client.get(f"{POSTS}/{post['slug']}")).json() == post


async def test_the_answer_says_where_it_is(client: httpx.AsyncClient, ann: Account) -> None:
    post = {"title": "A post", "body": "x", "status": "published"}
    created = await client.post(POSTS, json=post, headers=ann.headers)
    assert created.status_code == 201
    found = await client.get(created.headers["location"], headers=ann.headers)
    assert found.content == created.content


async def test_publishing_and_taking_back(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(client, ann)
    assert (await client.get(f"{POSTS}/{post['id']}")).status_code == 404
    clock.advance(timedelta(hours=1))
    published = await change(client, ann, post, status="published")
    assert published["published_at"] == published["updated_at"] == "2026-03-01T13:00:00Z"
    assert published["created_at"] == NOON
    assert (await client.get(f"{POSTS}/{post['id']}")).json() == published
    clock.advance(timedelta(hours=1))
    taken_back = await change(client, ann, post, status="draft")
    assert (taken_back["status"], taken_back["published_at"]) == ("draft", None)
    assert (await client.get(f"{POSTS}/{post['id']}")).status_code == 404
    clock.advance(timedelta(hours=1))
    again = await change(client, ann, post, status="published")
    assert again["published_at"] == "2026-03-01T15:00:00Z"
    assert again["version"] == 4


async def test_editing_a_published_post_keeps_when_it_was_published(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(client, ann, status="published")
    clock.advance(timedelta(hours=1))
    edited = await change(client, ann, post, title="B", status="published")
    assert edited["published_at"] == NOON
    assert edited["updated_at"] == "2026-03-01T13:00:00Z"


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", "B"), ("summary", "Short"), ("tags", ["b", "a"]), ("body", "New")],
)
async def test_a_patch_changes_the_given_field_only(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, field: str, value: object
) -> None:
    post = await write(client, ann, summary="Long", tags=["a"])
    clock.advance(timedelta(seconds=1))
    changed = await change(client, ann, post, **{field: value})
    expected = post | {field: value, "version": 2, "updated_at": "2026-03-01T12:00:01Z"}
    if field == "body":
        expected["body_html"] = "<p>New</p>\n"
    if field == "title":
        expected["slug"] = "b"
    assert changed == expected
    read = await client.get(f"{POSTS}/{post['id']}", headers=ann.headers)
    assert read.json() == changed


@pytest.mark.parametrize("fields", [{}, {"title": "A post"}, {"tags": ["a"], "status": "draft"}])
async def test_a_patch_that_changes_nothing_leaves_no_trace(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, fields: dict[str, object]
) -> None:
    post = await write(client, ann, tags=["a"])
    clock.advance(timedelta(hours=1))
    assert await change(client, ann, post, **fields) == post


@pytest.mark.parametrize("status", ["draft", "published"])
async def test_the_trash_is_out_of_sight(
    client: httpx.AsyncClient, ann: Account, status: str
) -> None:
    post = await write(client, ann, status=status)
    await trash(client, ann, post)
    for key in (post["id"], post["slug"]):
        for headers in ({}, ann.headers):
            answer = await client.get(f"{POSTS}/{key}", headers=headers)
            assert answer.status_code == 404
    for listed in (f"{POSTS}?status=draft", POSTS):
        page = (await client.get(listed, headers=ann.headers)).json()
        assert page["items"] == []
    path = f"{POSTS}/{post['id']}"
    again = await client.delete(path, headers=ann.headers)
    changed = await client.patch(path, json={"title": "B"}, headers=ann.headers)
    assert (again.status_code, changed.status_code) == (404, 404)


async def test_an_id_has_one_form(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann)
    row_id = UUID(post["id"])
    for other in (row_id.hex, f"{{{row_id}}}", row_id.urn):
        path = f"{POSTS}/{other}"
        problem_of(await client.get(path, headers=ann.headers), 404, "not_found")
        changed = await client.patch(path, json={"title": "B"}, headers=ann.headers)
        problem_of(changed, 404, "not_found")
        problem_of(await client.delete(path, headers=ann.headers), 404, "not_found")
