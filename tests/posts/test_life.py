"""The life of a post: scheduled, published on time, taken back, in the trash and out of it."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from src.posts.tasks import SCHEDULES, ScheduledPost, publish
from tests.posts.support import POSTS, change, titles, trash, write
from tests.support import (
    START,
    Account,
    Accounts,
    FrozenClock,
    Inbox,
    job_context,
    problem_of,
    query,
    until,
)

ONE = "2026-03-01T13:00:00Z"
TWO = "2026-03-01T14:00:00Z"
SCHEDULED: dict[str, Any] = {"status": "scheduled", "publish_at": ONE}


async def act(
    client: httpx.AsyncClient, author: Account, post: dict[str, Any], action: str
) -> dict[str, Any]:
    """The post after a POST of the action."""
    answer = await client.post(f"{POSTS}/{post['id']}/{action}", headers=author.headers)
    assert answer.status_code == 200, answer.text
    after: dict[str, Any] = answer.json()
    read = await client.get(f"{POSTS}/{post['id']}", headers=author.headers)
    assert (read.json(), read.headers["etag"]) == (after, answer.headers["etag"])
    return after


async def run_jobs(app: FastAPI, database_url: str) -> None:
    """Run what is to publish posts, as if each job's time had come."""
    due = "SELECT payload FROM pgqueuer WHERE entrypoint = 'posts.publish' ORDER BY id"
    for job in await query(database_url, due):
        await publish.run(job_context(app), ScheduledPost.model_validate_json(job["payload"]))


async def status_of(
    client: httpx.AsyncClient, author: Account, post: dict[str, Any]
) -> tuple[str, str | None, str | None]:
    """Its status, since when, and until when."""
    read = (await client.get(f"{POSTS}/{post['id']}", headers=author.headers)).json()
    return read["status"], read["published_at"], read["publish_at"]


async def test_publish_and_unpublish(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(client, ann)
    clock.advance(timedelta(hours=1))
    published = await act(client, ann, post, "publish")
    assert (published["status"], published["published_at"]) == ("published", ONE)
    clock.advance(timedelta(hours=1))
    assert await act(client, ann, post, "publish") == published
    draft = await act(client, ann, post, "unpublish")
    assert (draft["status"], draft["published_at"], draft["version"]) == ("draft", None, 3)
    assert await act(client, ann, post, "unpublish") == draft


async def test_a_scheduled_post_is_ones_own_until_its_time(
    client: httpx.AsyncClient,
    app: FastAPI,
    ann: Account,
    clock: FrozenClock,
    database_url: str,
) -> None:
    post = await write(client, ann, title="Soon", **SCHEDULED)
    assert (post["status"], post["published_at"], post["publish_at"]) == ("scheduled", None, ONE)
    assert (await client.get(f"{POSTS}/{post['id']}")).status_code == 404
    assert await titles(client, ann, status="scheduled") == ["Soon"]
    assert await titles(client, ann, status="draft") == []
    clock.advance(timedelta(minutes=59))
    await run_jobs(app, database_url)
    assert await titles(client) == []
    clock.advance(timedelta(hours=3))
    await run_jobs(app, database_url)
    assert await status_of(client, ann, post) == ("published", ONE, None)
    read = (await client.get(f"{POSTS}/soon")).json()
    assert (read["version"], read["updated_at"]) == (2, "2026-03-01T15:59:00Z")
    profile = (await client.get("/api/v1/users/ann")).json()
    assert profile["posts_count"] == 1
    await run_jobs(app, database_url)
    assert (await client.get(f"{POSTS}/soon")).json() == read


async def test_the_worker_publishes_it(
    client: httpx.AsyncClient, ann: Account, inbox: Inbox, clock: FrozenClock
) -> None:
    post = await write(
        client, ann, status="scheduled", publish_at=str(START + timedelta(milliseconds=200))
    )
    clock.advance(timedelta(seconds=1))

    async def is_published() -> bool:
        return (await status_of(client, ann, post))[0] == "published"

    await until(is_published)


async def test_another_time_counts_and_the_first_does_not(
    client: httpx.AsyncClient,
    app: FastAPI,
    ann: Account,
    clock: FrozenClock,
    database_url: str,
) -> None:
    later = await write(client, ann, **SCHEDULED)
    await change(client, ann, later, publish_at=TWO)
    back = await write(client, ann, **SCHEDULED)
    await act(client, ann, back, "unpublish")
    now = await write(client, ann, **SCHEDULED)
    await act(client, ann, now, "publish")
    gone = await write(client, ann, **SCHEDULED)
    await trash(client, ann, gone)
    clock.advance(timedelta(minutes=90))
    await run_jobs(app, database_url)
    assert await status_of(client, ann, later) == ("scheduled", None, TWO)
    assert await status_of(client, ann, back) == ("draft", None, None)
    assert await status_of(client, ann, now) == ("published", "2026-03-01T12:00:00Z", None)
    assert (await act(client, ann, gone, "restore"))["status"] == "draft"
    clock.advance(timedelta(hours=1))
    await run_jobs(app, database_url)
    assert await status_of(client, ann, later) == ("published", TWO, None)


async def test_a_clock_behind_the_databases_publishes_nothing_early(
    client: httpx.AsyncClient,
    app: FastAPI,
    ann: Account,
    clock: FrozenClock,
    database_url: str,
) -> None:
    post = await write(client, ann, **SCHEDULED)
    await run_jobs(app, database_url)
    assert (await status_of(client, ann, post))[0] == "scheduled"
    jobs = await query(
        database_url, "SELECT payload FROM pgqueuer WHERE entrypoint = 'posts.publish'"
    )
    assert [job["payload"] for job in jobs] == [jobs[0]["payload"]] * 2


SENSELESS: list[tuple[dict[str, Any], str]] = [
    ({"status": "scheduled"}, "publish_at_missing"),
    ({"status": "scheduled", "publish_at": "2026-03-01T12:00:00Z"}, "publish_at_past"),
    ({"status": "scheduled", "publish_at": "2000-01-01T00:00:00Z"}, "publish_at_past"),
    ({"status": "scheduled", "publish_at": "0001-01-01T00:00:00+14:00"}, "publish_at_past"),
    ({"publish_at": ONE}, "publish_at_unscheduled"),
    ({"status": "published", "publish_at": ONE}, "publish_at_unscheduled"),
    ({"status": "draft", "publish_at": ONE}, "publish_at_unscheduled"),
    ({"status": "scheduled", "publish_at": None}, "date_time_invalid"),
    ({"status": "scheduled", "publish_at": "tomorrow"}, "date_time_invalid"),
    ({"status": "scheduled", "publish_at": "2027-03-01T13:00:00"}, "date_time_without_offset"),
    ({"status": "scheduled", "publish_at": 1893456000}, "date_time_invalid"),
]


@pytest.mark.parametrize(("fields", "kind"), SENSELESS)
async def test_a_senseless_publication_is_refused(
    client: httpx.AsyncClient, ann: Account, fields: dict[str, Any], kind: str
) -> None:
    post = await write(client, ann)
    new = {"title": "A post", "body": "x"} | fields
    for answer in (
        await client.post(POSTS, json=new, headers=ann.headers),
        await client.patch(f"{POSTS}/{post['id']}", json=fields, headers=ann.headers),
    ):
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert (error["loc"], error["type"]) == (["body", "publish_at"], kind)
    assert await titles(client, ann, status="any") == ["A post"]


async def test_the_last_moment_that_can_be_written_is_a_time(
    client: httpx.AsyncClient, ann: Account
) -> None:
    for at in ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59+00:00"):
        await write(client, ann, status="scheduled", publish_at=at)
    answer = await client.post(
        POSTS,
        json={"title": "A", "body": "x"}
        | {"status": "scheduled", "publish_at": "9999-12-31T23:59:59-14:00"},
        headers=ann.headers,
    )
    assert answer.status_code in {201, 422}


@pytest.mark.parametrize("status", ["draft", "published", "scheduled"])
async def test_the_trash_gives_back_what_it_was_given(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, status: str
) -> None:
    fields = SCHEDULED if status == "scheduled" else {"status": status}
    post = await write(client, ann, **fields)
    clock.advance(timedelta(minutes=1))
    await trash(client, ann, post)
    assert await titles(client, ann, status="trash") == ["A post"]
    assert await titles(client, ann, status="any") == []
    clock.advance(timedelta(minutes=1))
    back = await act(client, ann, post, "restore")
    assert back == post | {"version": 3, "updated_at": "2026-03-01T12:02:00Z"}
    assert await titles(client, ann, status="trash") == []
    assert await act(client, ann, post, "restore") == back


async def test_the_trash_is_emptied_after_thirty_days(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, clock: FrozenClock
) -> None:
    [empty] = [schedule for schedule in SCHEDULES if schedule.name == "posts.empty_trash"]
    old = await write(client, ann, title="Old")
    await trash(client, ann, old)
    clock.advance(timedelta(days=1))
    young = await write(client, ann, title="Young")
    await trash(client, ann, young)
    kept = await write(client, ann, title="Kept", status="published")
    clock.advance(timedelta(days=29))
    await empty.run(job_context(app))
    token = await Accounts(app, client).sign_in("ann")
    assert await titles(client, token, status="trash") == ["Young"]
    gone = await client.post(f"{POSTS}/{old['id']}/restore", headers=token.headers)
    problem_of(gone, 404, "not_found")
    assert (await client.get(f"{POSTS}/{kept['id']}")).status_code == 200
    assert (await write(client, token, title="Old"))["slug"] == "old"


@pytest.mark.parametrize("action", ["publish", "unpublish", "restore", "preview-link"])
async def test_nobody_else_and_nothing_stale_does_it(
    client: httpx.AsyncClient, ann: Account, bob: Account, action: str
) -> None:
    post = await write(client, ann)
    path = f"{POSTS}/{post['id']}/{action}"
    problem_of(await client.post(path), 401, "not_authenticated")
    problem_of(await client.post(path, headers=bob.headers), 404, "not_found")
    missing = f"{POSTS}/01890000-0000-7000-8000-000000000000/{action}"
    problem_of(await client.post(missing, headers=ann.headers), 404, "not_found")
    if action != "preview-link":
        stale = ann.headers | {"If-Match": '"7-00000000"'}
        problem_of(await client.post(path, headers=stale), 412, "precondition_failed")
    assert (await status_of(client, ann, post))[0] == "draft"


async def test_at_once_one_editor_wins_and_the_others_are_told(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann)
    path = f"{POSTS}/{post['id']}"
    read = await client.get(path, headers=ann.headers)
    if_match = ann.headers | {"If-Match": read.headers["etag"]}
    answers = await asyncio.gather(
        *(client.patch(path, json={"body": str(n)}, headers=if_match) for n in range(5)),
        *(client.post(f"{path}/publish", headers=if_match) for _ in range(5)),
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_at_once_publishing_and_deleting_counts_right(
    client: httpx.AsyncClient, ann: Account
) -> None:
    posts = [await write(client, ann) for _ in range(5)]
    await asyncio.gather(
        *(
            client.request(method, f"{POSTS}/{post['id']}{action}", headers=ann.headers)
            for post in posts
            for method, action in (
                ("POST", "/publish"),
                ("DELETE", ""),
                ("POST", "/restore"),
                ("POST", "/unpublish"),
                ("POST", "/publish"),
            )
        )
    )
    published = len(await titles(client, author="ann"))
    assert (await client.get("/api/v1/users/ann")).json()["posts_count"] == published


async def test_what_everybody_can_read_is_told_of(
    client: httpx.AsyncClient,
    app: FastAPI,
    ann: Account,
    clock: FrozenClock,
    database_url: str,
) -> None:
    post = await write(client, ann, title="Draft")
    for action in ("publish", "publish", "unpublish", "publish"):
        await act(client, ann, post, action)
    await change(client, ann, post, title="News")
    await change(client, ann, post, title="News")
    await trash(client, ann, post)
    await act(client, ann, post, "restore")
    await write(client, ann, title="At once", status="published")
    await write(client, ann, title="Soon", **SCHEDULED)
    clock.advance(timedelta(hours=2))
    await run_jobs(app, database_url)
    events = await query(
        database_url,
        "SELECT kind, data::json ->> 'title' AS title, actor_id FROM events"
        " WHERE kind LIKE 'post.%' ORDER BY position",
    )
    assert [(event["kind"].removeprefix("post."), event["title"]) for event in events] == [
        ("published", "Draft"),
        ("removed", "Draft"),
        ("published", "Draft"),
        ("updated", "News"),
        ("removed", "News"),
        ("published", "News"),
        ("published", "At once"),
        ("published", "Soon"),
    ]
    assert {str(event["actor_id"]) for event in events} == {ann.id}
