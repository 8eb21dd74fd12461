"""Idempotency-Key: a repeat creates nothing, and gets the first answer again."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from src.jobs.tasks import JobContext
from src.mail.gateway import Mailer
from src.main import SCHEDULES
from tests.support import Account, Accounts, FrozenClock, all_wait, problem_of, query

POST = {"title": "A post", "body": "Its text", "status": "published"}
KEPT_HEADERS = ("content-type", "location", "etag")


async def create(
    client: httpx.AsyncClient, author: Account, key: str | None, post: object = None
) -> httpx.Response:
    """Create a post under a key."""
    headers = author.headers | ({"Idempotency-Key": key} if key is not None else {})
    return await client.post("/api/v1/posts", json=post or POST, headers=headers)


async def count_posts(database_url: str) -> int:
    """How many posts there are."""
    [row] = await query(database_url, "SELECT count(*) AS number FROM posts")
    number: int = row["number"]
    return number


async def test_a_repeat_gets_the_first_answer_again(
    client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    first = await create(client, ann, "key")
    await client.patch(first.headers["location"], json={"title": "B"}, headers=ann.headers)
    clock.advance(timedelta(minutes=5))
    repeat = await create(client, ann, "key")
    assert repeat.status_code == first.status_code == 201
    assert repeat.content == first.content
    for name in KEPT_HEADERS:
        assert repeat.headers.get_list(name) == first.headers.get_list(name)
    assert repeat.headers["x-request-id"] != first.headers["x-request-id"]
    assert await count_posts(database_url) == 1


async def test_without_a_key_every_request_creates(
    client: httpx.AsyncClient, accounts: Accounts, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    for key in (None, None, "one", "two"):
        assert (await create(client, ann, key)).status_code == 201
    assert await count_posts(database_url) == 4


async def test_another_body_under_the_same_key_is_refused(
    client: httpx.AsyncClient, accounts: Accounts, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    await create(client, ann, "key")
    headers = ann.headers | {"Idempotency-Key": "key"}
    others: list[Any] = [POST | {"title": "B"}, POST | {"status": "draft"}]
    for other in others:
        answer = await client.post("/api/v1/posts", json=other, headers=headers)
        problem_of(answer, 422, "idempotency_key_reused")
    assert await count_posts(database_url) == 1


async def test_two_keys_are_refused(
    client: httpx.AsyncClient, accounts: Accounts, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    keys = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    answer = await client.post("/api/v1/posts", json=POST, headers=[*ann.headers.items(), *keys])
    problem_of(answer, 422, "validation_error")
    assert await count_posts(database_url) == 0


async def test_another_users_key_is_another_key(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann, bob = await accounts.sign_in("ann"), await accounts.sign_in("bob")
    ids = {
        (await create(client, ann, "key")).json()["id"],
        (await create(client, bob, "key")).json()["id"],
        (await create(client, bob, "key", POST | {"title": "B"})).json().get("id"),
    }
    assert len(ids) == 3
    assert None in ids  # bob's own key, with another body


async def test_a_new_session_of_the_same_user_has_the_same_keys(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    first = await create(client, await accounts.sign_in("ann"), "key")
    again = await create(client, await accounts.sign_in("ann"), "key")
    assert again.json() == first.json()


async def test_a_first_request_that_fails_leaves_the_key_free(
    client: httpx.AsyncClient, accounts: Accounts, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    refused = await create(client, ann, "key", {"title": "", "body": ""})
    problem_of(refused, 422, "validation_error")
    assert (await create(client, ann, "key")).status_code == 201
    assert await count_posts(database_url) == 1


async def test_a_key_is_kept_for_24_hours(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    first = await create(client, await accounts.sign_in("ann"), "key")
    clock.advance(timedelta(hours=23, minutes=59, seconds=59))
    repeat = await create(client, await accounts.sign_in("ann"), "key")
    assert repeat.json() == first.json()
    clock.advance(timedelta(seconds=1))
    fresh = await create(client, await accounts.sign_in("ann"), "key", POST | {"title": "B"})
    assert fresh.status_code == 201
    assert fresh.json()["id"] != first.json()["id"]


async def test_old_keys_are_cleared_away_and_young_ones_kept(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    clock: FrozenClock,
    database_url: str,
) -> None:
    await create(client, await accounts.sign_in("ann"), "old")
    clock.advance(timedelta(hours=12))
    await create(client, await accounts.sign_in("ann"), "young")
    clock.advance(timedelta(hours=12))
    settings, database = app.state.settings, app.state.database
    for schedule in SCHEDULES:
        await schedule.run(JobContext(settings, database, Mailer(settings), clock))
    assert [dict(row) for row in await query(database_url, "SELECT key FROM idempotency_keys")] == [
        {"key": "young"}
    ]


async def test_twenty_at_once_create_one(
    client: httpx.AsyncClient, accounts: Accounts, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    answers = await asyncio.gather(*(create(client, ann, "key") for _ in range(20)))
    created = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in created}) == 1
    for answer in answers:
        if answer not in created:
            problem_of(answer, 409, "idempotency_key_in_use")
    assert await count_posts(database_url) == 1
    assert (await create(client, ann, "key")).content == created[0].content


async def test_while_the_first_runs_a_repeat_is_told_to_wait(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    first_post = (await create(client, ann, None)).json()
    async with app.state.database.independent_transaction() as session:
        # The first request cannot end: it waits for a lock that this transaction holds.
        await (await session.connection()).exec_driver_sql("LOCK TABLE posts IN EXCLUSIVE MODE")
        first = asyncio.create_task(create(client, ann, "key"))
        await all_wait(app, 1)
        problem_of(await create(client, ann, "key"), 409, "idempotency_key_in_use")
        other = POST | {"title": "B"}
        problem_of(await create(client, ann, "key", other), 409, "idempotency_key_in_use")
    assert (await first).status_code == 201
    assert (await create(client, ann, "key")).json() == (await first).json() != first_post
    assert await count_posts(database_url) == 2


async def test_a_key_that_is_not_255_visible_characters_is_refused(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    for key in ("", "a b", "é", "x" * 256, "a\tb"):
        headers: Any = ann.headers | {"Idempotency-Key": key.encode("latin-1")}
        answer = await client.post("/api/v1/posts", json=POST, headers=headers)
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["header", "idempotency-key"]


async def test_every_visible_character_makes_a_key(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    visible = "".join(map(chr, range(0x21, 0x7F)))
    for key in (visible, "x" * 255):
        first, repeat = await create(client, ann, key), await create(client, ann, key)
        assert first.status_code == 201
        assert repeat.content == first.content


async def test_what_is_kept_tells_nobody_who_reads_the_table(
    client: httpx.AsyncClient, accounts: Accounts, database_url: str
) -> None:
    ann = await accounts.sign_in("ann")
    created = await create(client, ann, "key")
    [kept] = await query(database_url, "SELECT body, request_hash FROM idempotency_keys")
    assert b"Its text" not in kept["body"]
    assert len(kept["body"]) > len(created.content)
    request = b"POST /api/v1/posts\n" + created.request.content
    assert kept["request_hash"] != hashlib.sha256(request).digest()
