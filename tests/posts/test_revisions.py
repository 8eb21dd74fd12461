"""Revisions: who, when, what; and back again."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from src.posts.service import MAX_REVISIONS
from tests.posts.support import POSTS, change, trash, write
from tests.support import Account, FrozenClock, problem_of, query

NOON, ONE, TWO = (f"2026-03-01T{hour}:00:00Z" for hour in (12, 13, 14))


async def revisions(
    client: httpx.AsyncClient, author: Account, post: dict[str, Any], **parameters: Any
) -> list[dict[str, Any]]:
    """A page of its revisions."""
    path = f"{POSTS}/{post['id']}/revisions"
    answer = await client.get(path, params=parameters, headers=author.headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_every_state_of_the_text_is_kept(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(client, ann, title="One", body="*One*", summary="1", tags=["a"])
    clock.advance(timedelta(hours=1))
    await change(client, ann, post, body="*Two*", tags=["b"])
    clock.advance(timedelta(hours=1))
    await change(client, ann, post, title="Three")
    found = await revisions(client, ann, post)
    assert [(one["number"], one["title"], one["created_at"]) for one in found] == [
        (3, "Three", TWO),
        (2, "One", ONE),
        (1, "One", NOON),
    ]
    assert {one["editor"]["username"] for one in found} == {"ann"}
    first = await client.get(f"{POSTS}/{post['slug']}/revisions/1", headers=ann.headers)
    assert first.json() == found[2] | {"body": "*One*", "summary": "1", "tags": ["a"]}
    last = await client.get(f"{POSTS}/{post['id']}/revisions/3", headers=ann.headers)
    assert last.json() == found[0] | {"body": "*Two*", "summary": "1", "tags": ["b"]}


async def test_what_does_not_change_the_text_makes_none(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(client, ann)
    clock.advance(timedelta(hours=1))
    for fields in ({"status": "published"}, {"slug": "other"}, {"title": "A post"}, {}):
        await change(client, ann, post, **fields)
    [only] = await revisions(client, ann, post)
    assert (only["number"], only["created_at"]) == (1, NOON)


async def test_a_restored_revision_is_a_new_one(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(client, ann, title="One", body="*One*", tags=["a"], status="published")
    await change(client, ann, post, title="Two", body="Two", tags=[], summary="2")
    clock.advance(timedelta(hours=1))
    answer = await client.post(f"{POSTS}/{post['id']}/revisions/1/restore", headers=ann.headers)
    assert answer.json() == post | {"version": 3, "updated_at": ONE}
    read = await client.get(f"{POSTS}/one", headers=ann.headers)
    assert answer.headers["etag"] == read.headers["etag"]
    assert [one["title"] for one in await revisions(client, ann, post)] == ["One", "Two", "One"]
    again = await client.post(f"{POSTS}/{post['id']}/revisions/3/restore", headers=ann.headers)
    assert again.json() == answer.json()


async def test_pages_follow_one_another(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, title="0")
    for number in range(1, 5):
        await change(client, ann, post, title=str(number))
    path: str | None = f"{POSTS}/{post['id']}/revisions?limit=2"
    pages = []
    while path:
        answer = await client.get(path, headers=ann.headers)
        pages.append([one["title"] for one in answer.json()["items"]])
        path = answer.links.get("next", {}).get("url")
    assert pages == [["4", "3"], ["2", "1"], ["0"]]


async def test_of_many_the_oldest_are_forgotten(
    client: httpx.AsyncClient, ann: Account, database_url: str
) -> None:
    post = await write(client, ann, body="0")
    for number in range(1, MAX_REVISIONS + 3):
        await change(client, ann, post, body=str(number))
    rows = await query(database_url, "SELECT number FROM post_revisions ORDER BY number")
    assert [row["number"] for row in rows] == [*range(3, MAX_REVISIONS + 3)]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/1"), ("POST", "/1/restore"), ("GET", "/2"), ("POST", "/2/restore")],
)
async def test_they_are_the_authors_alone(
    client: httpx.AsyncClient, ann: Account, bob: Account, method: str, path: str
) -> None:
    post = await write(client, ann, status="published")
    url = f"{POSTS}/{post['id']}/revisions{path}"
    problem_of(await client.request(method, url), 401, "not_authenticated")
    problem_of(await client.request(method, url, headers=bob.headers), 404, "not_found")
    expected = 404 if "2" in path else 200
    assert (await client.request(method, url, headers=ann.headers)).status_code == expected
    await trash(client, ann, post)
    problem_of(await client.request(method, url, headers=ann.headers), 404, "not_found")


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "one", "2147483648", "9" * 400])
async def test_a_number_out_of_bounds_is_refused(
    client: httpx.AsyncClient, ann: Account, number: str
) -> None:
    post = await write(client, ann)
    url = f"{POSTS}/{post['id']}/revisions/{number}"
    for answer in (
        await client.get(url, headers=ann.headers),
        await client.post(f"{url}/restore", headers=ann.headers),
    ):
        assert answer.status_code == 422


async def test_a_stale_editor_restores_nothing(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, body="One")
    await change(client, ann, post, body="Two")
    headers = ann.headers | {"If-Match": '"1-00000000"'}
    url = f"{POSTS}/{post['id']}/revisions/1/restore"
    problem_of(await client.post(url, headers=headers), 412, "precondition_failed")


async def test_they_are_part_of_the_export(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, title="One", body="*One*")
    await change(client, ann, post, title="Two")
    export = (await client.get("/api/v1/users/me/export", headers=ann.headers)).json()
    [one] = export["post_revisions"]
    assert (one["number"], one["title"], one["body"]) == (1, "One", "*One*")
    assert sorted(export["posts"][0]["slugs"]) == ["one", "two"]
