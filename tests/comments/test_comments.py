"""Comments: written, changed, deleted and counted, in threads."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from src.comments.models import MAX_DEPTH
from tests.posts.support import POSTS, change, trash, write
from tests.support import PASSWORD, Account, Accounts, FrozenClock, problem_of, query

COMMENTS = "/api/v1/comments"
NOWHERE = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
async def post(client: httpx.AsyncClient, ann: Account) -> dict[str, Any]:
    """A published post of Ann's."""
    return await write(client, ann, title="News", status="published")


async def say(
    client: httpx.AsyncClient,
    author: Account,
    post: dict[str, Any],
    body: str,
    parent: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A new comment."""
    data = {"body": body} | ({"parent_id": parent["id"]} if parent else {})
    path = f"{POSTS}/{post['id']}/comments"
    answer = await client.post(path, json=data, headers=author.headers)
    assert answer.status_code == 201, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def unsay(client: httpx.AsyncClient, who: Account, comment: dict[str, Any]) -> None:
    """Delete a comment."""
    answer = await client.delete(f"{COMMENTS}/{comment['id']}", headers=who.headers)
    assert (answer.status_code, answer.content) == (204, b""), answer.text


async def bodies(
    client: httpx.AsyncClient, post: dict[str, Any], me: Account | None = None, **which: Any
) -> list[str]:
    """What the comments of a post say."""
    headers = me.headers if me else {}
    answer = await client.get(f"{POSTS}/{post['id']}/comments", params=which, headers=headers)
    assert answer.status_code == 200, answer.text
    return [comment["body"] for comment in answer.json()["items"]]


async def count(client: httpx.AsyncClient, post: dict[str, Any]) -> int:
    """How many comments the post says that it has."""
    found: int = (await client.get(f"{POSTS}/{post['id']}")).json()["comments_count"]
    return found


async def test_a_comment_is_written_changed_and_deleted(
    client: httpx.AsyncClient, bob: Account, post: dict[str, Any], clock: FrozenClock
) -> None:
    path = f"{POSTS}/{post['slug']}/comments"
    created = await client.post(path, json={"body": "I *like* it"}, headers=bob.headers)
    comment = created.json()
    assert created.status_code == 201
    assert comment["body_html"] == "<p>I <em>like</em> it</p>\n"
    assert comment["author"] == {
        "id": bob.id,
        "username": "bob",
        "display_name": "Bob",
        "avatar_url": None,
    }
    assert (comment["post_id"], comment["parent_id"], comment["depth"]) == (post["id"], None, 0)
    address = created.headers["location"]
    read = await client.get(address)
    assert (read.json(), read.headers["etag"]) == (comment, created.headers["etag"])
    clock.advance(timedelta(minutes=1))
    if_match = bob.headers | {"If-Match": read.headers["etag"]}
    changed = await client.patch(address, json={"body": "I love it"}, headers=if_match)
    assert (changed.json()["version"], changed.json()["edited_at"]) == (2, "2026-03-01T12:01:00Z")
    assert (await client.get(address)).json() == changed.json()
    stale = await client.patch(address, json={"body": "x"}, headers=if_match)
    problem_of(stale, 412, "precondition_failed")
    stale = await client.delete(address, headers=if_match)
    problem_of(stale, 412, "precondition_failed")
    before = (await client.get(f"{POSTS}/{post['id']}")).json()
    assert (before["comments_count"], before["version"]) == (1, 1)
    await unsay(client, bob, comment)
    problem_of(await client.get(address), 404, "not_found")
    problem_of(await client.delete(address, headers=bob.headers), 404, "not_found")
    assert await count(client, post) == 0


async def test_threads_are_listed_whole_and_in_part(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any], clock: FrozenClock
) -> None:
    said: dict[str, dict[str, Any]] = {}
    for body, parent in (("a", None), ("b", None), ("a1", "a"), ("a2", "a"), ("a11", "a1")):
        said[body] = await say(client, bob, post, body, said[parent] if parent else None)
        clock.advance(timedelta(seconds=1))
    assert await bodies(client, post) == ["a", "b", "a1", "a2", "a11"]
    assert await bodies(client, post, sort="newest") == ["a11", "a2", "a1", "b", "a"]
    assert await bodies(client, post, top_level=True) == ["a", "b"]
    assert await bodies(client, post, parent_id=said["a"]["id"]) == ["a1", "a2"]
    assert await bodies(client, post, parent_id=said["b"]["id"]) == []
    assert await bodies(client, post, limit=2) == ["a", "b"]
    assert said["a11"]["depth"] == 2
    read = (await client.get(f"{COMMENTS}/{said['a']['id']}")).json()
    assert read["replies_count"] == 2
    url: str | None = f"{POSTS}/{post['id']}/comments?limit=2"
    found = []
    while url:
        page = await client.get(url)
        found += [comment["body"] for comment in page.json()["items"]]
        url = page.links["next"]["url"] if page.links else None
    assert found == ["a", "b", "a1", "a2", "a11"]


async def test_where_there_are_replies_the_place_stays(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    first = await say(client, bob, post, "first")
    reply = await say(client, ann, post, "reply", first)
    last = await say(client, bob, post, "last", reply)
    await unsay(client, bob, first)
    await unsay(client, ann, reply)
    place = (await client.get(f"{COMMENTS}/{first['id']}")).json()
    assert (place["deleted"], place["author"], place["body"], place["body_html"]) == (
        True,
        None,
        "",
        "",
    )
    assert await count(client, post) == 1
    data = {"body": "x", "parent_id": first["id"]}
    path = f"{POSTS}/{post['id']}/comments"
    answer = await client.post(path, json=data, headers=ann.headers)
    [error] = problem_of(answer, 422, "validation_error")["errors"]
    assert (error["loc"], error["type"]) == (["body", "parent_id"], "comment_unknown")
    for method in ("PATCH", "DELETE"):
        answer = await client.request(
            method,
            f"{COMMENTS}/{first['id']}",
            json={"body": "x"} if method == "PATCH" else None,
            headers=bob.headers,
        )
        problem_of(answer, 404, "not_found")
    await unsay(client, bob, last)
    assert await bodies(client, post) == []
    assert await count(client, post) == 0


async def test_the_author_of_the_post_may_delete_and_nobody_else(
    client: httpx.AsyncClient,
    accounts: Accounts,
    ann: Account,
    bob: Account,
    post: dict[str, Any],
) -> None:
    eve = await accounts.sign_in("eve")
    comment = await say(client, bob, post, "Hello")
    address = f"{COMMENTS}/{comment['id']}"
    problem_of(await client.delete(address), 401, "not_authenticated")
    problem_of(await client.delete(address, headers=eve.headers), 404, "not_found")
    for who in (eve, ann):
        answer = await client.patch(address, json={"body": "x"}, headers=who.headers)
        problem_of(answer, 404, "not_found")
    await unsay(client, ann, comment)


async def test_replies_go_so_deep(
    client: httpx.AsyncClient, bob: Account, post: dict[str, Any]
) -> None:
    comment = None
    for depth in range(MAX_DEPTH + 1):
        comment = await say(client, bob, post, str(depth), comment)
    assert comment
    data = {"body": "x", "parent_id": comment["id"]}
    answer = await client.post(f"{POSTS}/{post['id']}/comments", json=data, headers=bob.headers)
    [error] = problem_of(answer, 422, "validation_error")["errors"]
    assert error["type"] == "comment_too_deep"


async def test_only_what_is_on_the_post_can_be_replied_to(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    other = await write(client, ann, title="Other", status="published")
    comment = await say(client, bob, other, "Hello")
    path = f"{POSTS}/{post['id']}/comments"
    for parent_id in (comment["id"], post["id"], NOWHERE):
        data = {"body": "x", "parent_id": parent_id}
        answer = await client.post(path, json=data, headers=bob.headers)
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["type"] == "comment_unknown"
    bad: list[Any] = [
        {"body": ""},
        {"body": "x" * 10_001},
        {"body": "&nbsp;"},
        {"body": "x", "parent_id": None},
        {"body": "x", "parent_id": "x"},
        {"body": "x", "author_id": ann.id},
        {},
    ]
    for data in bad:
        answer = await client.post(path, json=data, headers=bob.headers)
        problem_of(answer, 422, "validation_error")
    assert await bodies(client, post) == []


async def test_comments_are_seen_with_their_post_alone(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    comment = await say(client, bob, post, "Hello")
    address, path = f"{COMMENTS}/{comment['id']}", f"{POSTS}/{post['id']}/comments"
    await change(client, ann, post, status="draft")
    for reader in ({}, bob.headers):
        problem_of(await client.get(path, headers=reader), 404, "not_found")
        problem_of(await client.get(address, headers=reader), 404, "not_found")
    assert await bodies(client, post, ann) == ["Hello"]
    for who in (ann, bob):
        answer = await client.post(path, json={"body": "x"}, headers=who.headers)
        problem_of(answer, 404, "not_found")
    await change(client, ann, post, status="published")
    await trash(client, ann, post)
    problem_of(await client.get(path, headers=ann.headers), 404, "not_found")
    problem_of(await client.get(address, headers=ann.headers), 404, "not_found")


async def test_those_who_block_read_and_answer_nothing_of_each_other(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    eve = await accounts.sign_in("eve")
    comment = await say(client, bob, post, "Of Bob")
    await say(client, eve, post, "Of Eve")
    await client.put("/api/v1/users/bob/block", headers=eve.headers)
    assert await bodies(client, post, eve) == ["Of Eve"]
    assert await bodies(client, post, bob) == ["Of Bob"]
    assert sorted(await bodies(client, post, ann)) == ["Of Bob", "Of Eve"]
    read = await client.get(f"{COMMENTS}/{comment['id']}", headers=eve.headers)
    problem_of(read, 404, "not_found")
    path = f"{POSTS}/{post['id']}/comments"
    data = {"body": "x", "parent_id": comment["id"]}
    problem_of(await client.post(path, json=data, headers=eve.headers), 422, "validation_error")
    await client.put("/api/v1/users/ann/block", headers=bob.headers)
    answer = await client.post(path, json={"body": "x"}, headers=bob.headers)
    problem_of(answer, 404, "not_found")


async def test_at_once_each_is_counted_once(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    said = await asyncio.gather(*(say(client, bob, post, str(number)) for number in range(10)))
    assert await count(client, post) == 10
    deletions = [
        client.delete(f"{COMMENTS}/{comment['id']}", headers=who.headers)
        for comment in said[:5]
        for who in (ann, bob, ann, bob)
    ]
    replies = [
        client.post(
            f"{POSTS}/{post['id']}/comments",
            json={"body": "reply", "parent_id": comment["id"]},
            headers=bob.headers,
        )
        for comment in said
    ]
    answers = await asyncio.gather(*deletions, *replies)
    assert sorted(answer.status_code for answer in answers[:20]) == [204] * 5 + [404] * 15
    assert {answer.status_code for answer in answers[20:]} <= {201, 422}
    shown = (await client.get(f"{POSTS}/{post['id']}/comments?limit=100")).json()["items"]
    assert await count(client, post) == len([one for one in shown if not one["deleted"]])
    ids = {one["id"] for one in shown}
    assert {one["parent_id"] for one in shown} - ids <= {None}


async def test_a_deleted_accounts_comments_go_and_leave_the_places_of_those_with_replies(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any]
) -> None:
    answered = await say(client, bob, post, "answered")
    await say(client, ann, post, "answer", answered)
    alone = await say(client, bob, post, "alone")
    await say(client, bob, post, "to myself", alone)
    gone = await client.request(
        "DELETE", "/api/v1/users/me", json={"current_password": PASSWORD}, headers=bob.headers
    )
    assert gone.status_code == 204, gone.text
    assert sorted(await bodies(client, post)) == ["", "answer"]
    assert await count(client, post) == 1


async def test_a_deleted_post_takes_its_comments_along(
    client: httpx.AsyncClient, ann: Account, bob: Account, post: dict[str, Any], database_url: str
) -> None:
    first = await say(client, bob, post, "first")
    await say(client, ann, post, "reply", first)
    await query(database_url, "DELETE FROM posts")
    assert await query(database_url, "SELECT FROM comments") == []


async def test_a_repeated_request_says_it_once(
    client: httpx.AsyncClient, bob: Account, post: dict[str, Any]
) -> None:
    headers = bob.headers | {"Idempotency-Key": "hello"}
    path = f"{POSTS}/{post['id']}/comments"
    answers = [await client.post(path, json={"body": "Hello"}, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert await bodies(client, post) == ["Hello"]


async def test_they_are_told_of_and_exported(
    client: httpx.AsyncClient, bob: Account, post: dict[str, Any], database_url: str
) -> None:
    comment = await say(client, bob, post, "Hello")
    await client.patch(f"{COMMENTS}/{comment['id']}", json={"body": "Hello!"}, headers=bob.headers)
    export = (await client.get("/api/v1/users/me/export", headers=bob.headers)).json()
    assert [one["body"] for one in export["comments"]] == ["Hello!"]
    await unsay(client, bob, comment)
    events = await query(
        database_url, "SELECT kind FROM events WHERE kind LIKE 'comment.%' ORDER BY position"
    )
    kinds = [event["kind"] for event in events]
    assert kinds == ["comment.created", "comment.updated", "comment.removed"]
