"""Events: each that is committed is handed over, none that is not, and readers skip none."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from src.events import log
from src.events.reads import events_after
from src.events.tasks import SCHEDULES, Recorded, hand_to
from src.features import Event, Subscriber
from src.ids import uuid7
from src.jobs.tasks import JobContext
from src.sql.session import DatabaseSession
from src.sql.transaction import Transaction
from tests.account.data import delete_account
from tests.auth.support import ME, REGISTER, confirm, rows
from tests.support import PASSWORD, Account, FrozenClock, Inbox, job_context, until

JOBS = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'events.dispatch'"
KINDS = "SELECT kind FROM events ORDER BY position"
SUBJECT = uuid7()


async def record(app: FastAPI, subject_id: UUID = SUBJECT) -> None:
    """A committed event."""
    async with app.state.database.independent_transaction() as session:
        await log.record(
            session, "post.published", at=app.state.clock.now(), subject_id=subject_id, slug="a"
        )


async def dispatch(app: FastAPI, *subscribers: Subscriber) -> None:
    """Hand the only event over."""
    [event_id] = await rows(app, "SELECT id FROM events")
    await hand_to(subscribers).run(job_context(app), Recorded(event_id=event_id))


async def test_an_event_and_its_job_are_there_if_it_is_committed(app: FastAPI) -> None:
    async with Transaction(app.state.database.writes) as transaction:
        await log.record(transaction, "post.removed", at=app.state.clock.now(), subject_id=SUBJECT)
    assert await rows(app, KINDS) == ["post.removed"]
    assert await rows(app, JOBS) == [1]


async def test_neither_is_there_if_it_is_rolled_back(app: FastAPI) -> None:
    async with app.state.database.sessions() as session:
        await log.record(session, "post.removed", at=app.state.clock.now(), subject_id=SUBJECT)
        await session.rollback()
    assert await rows(app, KINDS) == []
    assert await rows(app, JOBS) == [0]


async def test_subscribers_get_the_kinds_that_they_name(app: FastAPI) -> None:
    got: list[tuple[str, Event]] = []

    def noting(name: str, *kinds: str) -> Subscriber:
        async def receive(_: JobContext, session: DatabaseSession, event: Event) -> None:
            got.append((name, event))

        return Subscriber(kinds, receive)

    await record(app)
    await dispatch(app, noting("posts", "post."), noting("users", "user."), noting("all", ""))
    assert [name for name, _ in got] == ["posts", "all"]
    event = got[0][1]
    assert (event.kind, event.subject_id, event.actor_id) == ("post.published", SUBJECT, None)
    assert (event.at, event.data) == (app.state.clock.now(), {"slug": "a"})


async def test_one_that_fails_keeps_no_other_from_its_event_and_gets_it_again(
    app: FastAPI,
) -> None:
    got: list[UUID] = []

    async def fail(_: JobContext, session: DatabaseSession, event: Event) -> None:
        raise ZeroDivisionError

    async def receive(_: JobContext, session: DatabaseSession, event: Event) -> None:
        got.append(event.id)

    await record(app)
    with pytest.raises(ZeroDivisionError):
        await dispatch(app, Subscriber([""], fail), Subscriber([""], receive))
    assert len(got) == 1


async def test_an_event_of_a_transaction_that_ends_later_is_not_skipped(app: FastAPI) -> None:
    reads = app.state.database.reads
    first, second = uuid7(), uuid7()
    async with app.state.database.independent_transaction() as session:
        await log.record(session, "post.updated", at=app.state.clock.now(), subject_id=first)
        await record(app, second)
        assert await events_after.all(reads, position=0) == []
    found = await events_after.all(reads, position=0)
    assert [event["subject_id"] for event in found] == [first, second]
    after = await events_after.all(reads, position=found[0]["position"])
    assert [event["subject_id"] for event in after] == [second]


async def test_listeners_are_notified_of_what_is_committed(app: FastAPI, database_url: str) -> None:
    heard: list[Any] = []
    connection = await asyncpg.connect(database_url)
    try:
        await connection.add_listener("plaza_events", lambda *notice: heard.append(notice))
        await record(app)
        await until(lambda: len(heard) == 1)
    finally:
        await connection.close()


async def test_events_are_forgotten_after_a_week(app: FastAPI, clock: FrozenClock) -> None:
    await record(app)
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    await record(app)
    [schedule] = SCHEDULES
    await schedule.run(job_context(app))
    assert len(await rows(app, KINDS)) == 2
    clock.advance(timedelta(seconds=1))
    await schedule.run(job_context(app))
    assert len(await rows(app, KINDS)) == 1


async def test_a_confirmed_registration_is_an_event(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
) -> None:
    data = {"email": "ann@x.test", "password": PASSWORD}
    assert (await client.post(REGISTER, json=data)).status_code == 202
    assert await rows(app, KINDS) == []
    answer = await confirm(client, await inbox.token("ann@x.test"), password=PASSWORD)
    assert answer.is_success
    assert await rows(app, KINDS) == ["user.registered"]
    assert await rows(app, "SELECT id FROM users") == await rows(
        app, "SELECT subject_id FROM events"
    )


async def test_a_change_of_the_profile_is_an_event(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    for _ in range(2):  # the second changes nothing
        await client.patch(ME, json={"bio": "Ornithologist"}, headers=ann.headers)
    assert await rows(app, "SELECT kind || data::text FROM events") == [
        'user.updated{"changed": ["bio"]}'
    ]


async def test_events_of_two_requests_at_once_are_two(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, bob: Account
) -> None:
    await asyncio.gather(
        *(client.patch(ME, json={"bio": "New"}, headers=who.headers) for who in (ann, bob))
    )
    assert await rows(app, KINDS) == ["user.updated", "user.updated"]


async def test_a_deleted_account_is_an_event(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    assert (await delete_account(client, ann)).status_code == 204
    assert await rows(app, "SELECT kind || subject_id FROM events") == [f"user.deleted{ann.id}"]
