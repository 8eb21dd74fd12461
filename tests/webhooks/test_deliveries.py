"""Events are sent, signed, again when that fails, and never without bounds."""

import asyncio
import base64
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from src.webhooks import deliveries as rules
from src.webhooks import sending
from src.webhooks.signatures import signed_headers
from src.webhooks.tasks import SCHEDULES
from tests.auth.support import ME, rows
from tests.support import Account, FrozenClock, Inbox, job_context, until
from tests.webhooks.support import (
    WEBHOOKS,
    Receiver,
    create,
    deliveries,
    hand_over,
    happen,
    is_signed,
    receiving,
    redirect_to,
    secret,
    send,
    status,
)

JOBS = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'webhooks.deliver'"


async def test_an_event_is_sent_signed(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    webhook = await create(client, admin, receiver.url)
    subject_id = await happen(app, slug="herons")
    await send(app, webhook)
    [(headers, body)] = receiver.requests
    assert json.loads(body) == {
        "type": "post.published",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {"subject_id": str(subject_id), "actor_id": None, "slug": "herons"},
    }
    assert headers["content-type"] == "application/json"
    assert headers["webhook-timestamp"] == str(int(app.state.clock.now().timestamp()))
    assert is_signed(headers, body, await secret(client, admin, webhook))
    assert not is_signed(headers, body + b" ", await secret(client, admin, webhook))
    [delivery] = await deliveries(client, admin, webhook)
    assert delivery["event_id"] == headers["webhook-id"]
    assert (delivery["status"], delivery["attempts"]) == ("succeeded", 1)
    assert (delivery["last_status"], delivery["last_answer"]) == (200, "thanks")
    assert delivery["payload"] == body.decode()
    assert delivery["next_attempt_at"] is None


async def test_the_signature_is_that_of_the_specifications_example() -> None:
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        [base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_messages_have_both_signatures_while_the_old_secret_is_valid(
    client: httpx.AsyncClient,
    app: FastAPI,
    admin: Account,
    receiver: Receiver,
    clock: FrozenClock,
) -> None:
    webhook = await create(client, admin, receiver.url)
    old = await secret(client, admin, webhook)
    await client.post(f"{WEBHOOKS}/{webhook['id']}/rotate-secret", headers=admin.headers)
    new = await secret(client, admin, webhook)
    await happen(app)
    await send(app, webhook)
    assert all(is_signed(*receiver.requests[0], key) for key in (old, new))
    clock.advance(timedelta(hours=24))
    await happen(app)
    await send(app, webhook)
    assert is_signed(*receiver.requests[1], new)
    assert not is_signed(*receiver.requests[1], old)


@pytest.mark.parametrize(
    ("kinds", "count"),
    [(["*"], 1), (["post.*"], 1), (["post.published"], 1), (["post.updated"], 0), (["user.*"], 0)],
)
async def test_a_webhook_gets_the_kinds_it_asks_for(
    client: httpx.AsyncClient,
    app: FastAPI,
    admin: Account,
    receiver: Receiver,
    kinds: list[str],
    count: int,
) -> None:
    webhook = await create(client, admin, receiver.url, kinds=kinds)
    await happen(app)
    assert len(await deliveries(client, admin, webhook)) == count


async def test_an_event_that_is_handed_over_twice_is_sent_once(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    webhook = await create(client, admin, receiver.url)
    await happen(app)
    await hand_over(app)
    for _ in range(2):
        await send(app, webhook)
    assert len(receiver.requests) == 1


async def test_a_failure_is_tried_again_with_growing_delays_and_the_same_id(
    client: httpx.AsyncClient,
    app: FastAPI,
    admin: Account,
    receiver: Receiver,
    clock: FrozenClock,
) -> None:
    webhook = await create(client, admin, receiver.url)
    receiver.answer = status(500)
    await happen(app)
    started = clock.now()
    for number, delay in enumerate(rules.DELAYS, 1):
        await send(app, webhook)
        await send(app, webhook)  # too early
        [row] = await rows(app, "SELECT next_attempt_at FROM webhook_deliveries")
        assert delay * 0.9 <= row - clock.now() <= delay * 1.1
        assert len(receiver.requests) == number
        clock.advance(row - clock.now())
    await send(app, webhook)
    assert await rows(app, "SELECT status FROM webhook_deliveries") == ["failed"]
    assert await rows(app, "SELECT attempts FROM webhook_deliveries") == [10]
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    assert timedelta(days=3) < clock.now() - started < timedelta(days=4)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("60", 60, 60), ("0", 4, 6), ("x", 4, 6), ("9" * 30, 86400, 86400), ("-5", 4, 6)],
)
@pytest.mark.parametrize("number", [429, 503])
async def test_a_receiver_may_ask_for_more_time(
    client: httpx.AsyncClient,
    app: FastAPI,
    admin: Account,
    receiver: Receiver,
    number: int,
    header: str,
    least: int,
    most: int,
) -> None:
    webhook = await create(client, admin, receiver.url)
    receiver.answer = status(number, f"Retry-After: {header}")
    await happen(app)
    await send(app, webhook)
    [delivery] = await deliveries(client, admin, webhook)
    waits = datetime.fromisoformat(delivery["next_attempt_at"]) - app.state.clock.now()
    assert least <= waits.total_seconds() <= most


async def test_410_disables_the_webhook(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    webhook = await create(client, admin, receiver.url)
    receiver.answer = status(410)
    await happen(app)
    await send(app, webhook)
    [delivery] = await deliveries(client, admin, webhook)
    assert (delivery["status"], delivery["last_status"]) == ("failed", 410)
    read = await client.get(f"{WEBHOOKS}/{webhook['id']}", headers=admin.headers)
    assert (read.json()["is_active"], read.json()["disabled_reason"]) == (False, "gone")
    assert read.json()["version"] == 2
    await happen(app)
    assert len(await deliveries(client, admin, webhook)) == 1
    assert await rows(app, "SELECT details->>'reason' FROM audit_log ORDER BY id DESC LIMIT 1") == [
        "gone"
    ]


async def test_five_days_of_failures_disable_it_and_one_success_does_not(
    client: httpx.AsyncClient,
    app: FastAPI,
    admin: Account,
    receiver: Receiver,
    clock: FrozenClock,
) -> None:
    webhook = await create(client, admin, receiver.url)

    async def active_after(answer: bytes) -> bool:
        receiver.answer = answer
        await happen(app)
        await send(app, webhook)
        [active] = await rows(app, "SELECT is_active FROM webhooks")
        return bool(active)

    assert await active_after(status(500))
    clock.advance(timedelta(days=4, hours=23))
    assert await active_after(status(500))
    assert await active_after(status(200))
    assert await active_after(status(500))
    clock.advance(timedelta(days=5))
    assert not await active_after(status(500))
    assert await rows(app, "SELECT disabled_reason FROM webhooks") == ["failing"]


async def test_what_failed_is_sent_again_by_hand(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    webhook = await create(client, admin, receiver.url)
    await happen(app)
    await send(app, webhook)
    [delivery] = await deliveries(client, admin, webhook)
    address = f"{WEBHOOKS}/{webhook['id']}/deliveries/{delivery['id']}/retry"
    answer = await client.post(address, headers=admin.headers)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    await send(app, webhook)
    first, second = receiver.requests
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert await rows(app, "SELECT action FROM audit_log ORDER BY id DESC LIMIT 1") == [
        "webhook.retried"
    ]


async def test_a_test_message_tells_of_nothing(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    webhook = await create(client, admin, receiver.url, kinds=["user.deleted"])
    answer = await client.post(f"{WEBHOOKS}/{webhook['id']}/test", headers=admin.headers)
    assert answer.status_code == 202
    assert answer.json()["kind"] == "webhook.test"
    await send(app, webhook)
    [(_, body)] = receiver.requests
    assert json.loads(body)["type"] == "webhook.test"


async def outcome(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, url: str
) -> tuple[str, Any, Any]:
    """The status and error of a delivery to the URL."""
    webhook = await create(client, admin, url)
    await happen(app)
    await send(app, webhook)
    [delivery] = await deliveries(client, admin, webhook)
    return delivery["status"], delivery["last_status"], delivery["last_error"]


async def test_no_redirect_is_followed(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    async with receiving() as other:
        receiver.answer = redirect_to(other.url)
        assert await outcome(client, app, admin, receiver.url) == ("pending", 307, "redirected")
        assert other.requests == []


async def test_a_slow_receiver_is_left(
    client: httpx.AsyncClient,
    app: FastAPI,
    admin: Account,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    monkeypatch.setattr(sending, "SECONDS", 0.3)
    receiver.behave = trickle
    assert await outcome(client, app, admin, receiver.url) == ("pending", None, "timeout")


async def test_of_a_huge_answer_little_is_read(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    sent = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write(b"\0" * 10_000)
            await writer.drain()
            sent += 10_000

    receiver.behave = flood
    assert await outcome(client, app, admin, receiver.url) == ("succeeded", 200, None)
    [answer] = await rows(app, "SELECT last_answer FROM webhook_deliveries")
    assert answer == "\N{REPLACEMENT CHARACTER}" * 1000
    assert sent < 20_000_000


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", b"no\r\n\r\n"]
)
async def test_a_receiver_that_hangs_up_or_talks_nonsense_has_failed(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver, said: bytes
) -> None:
    receiver.answer = said
    found = await outcome(client, app, admin, receiver.url)
    assert found == ("pending", None, "connection_failed")


async def test_one_that_does_not_listen_has_failed(
    client: httpx.AsyncClient, app: FastAPI, admin: Account
) -> None:
    async with receiving() as gone:
        url = gone.url
    assert await outcome(client, app, admin, url) == ("pending", None, "not_connected")


async def test_no_more_than_three_are_sent_to_one_webhook_at_once(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    waiting, go = 0, asyncio.Event()

    async def wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        await go.wait()
        writer.write(status(204))

    receiver.behave = wait
    webhook = await create(client, admin, receiver.url)
    for _ in range(6):
        await happen(app)
    jobs = [asyncio.create_task(send(app, webhook)) for _ in range(6)]
    await until(lambda: waiting == 3 and sum(job.done() for job in jobs) == 3)
    [before] = await rows(app, JOBS)
    go.set()
    await asyncio.gather(*jobs)
    assert len(receiver.requests) == 3
    assert (await rows(app, JOBS))[0] > before  # they see to the rest


async def test_what_a_killed_worker_left_is_sent_by_another(
    client: httpx.AsyncClient,
    app: FastAPI,
    admin: Account,
    receiver: Receiver,
    clock: FrozenClock,
) -> None:
    webhook = await create(client, admin, receiver.url)
    await happen(app)
    async with app.state.database.independent_transaction() as session:
        assert await rules.take(session, UUID(webhook["id"]), clock.now())
    await send(app, webhook)
    assert receiver.requests == []
    clock.advance(rules.TAKEN_FOR)
    [before] = await rows(app, JOBS)
    await SCHEDULES[0].run(job_context(app))
    assert await rows(app, JOBS) == [before + 1]
    await send(app, webhook)
    assert len(receiver.requests) == 1


async def test_deliveries_are_forgotten_after_a_month(
    client: httpx.AsyncClient,
    app: FastAPI,
    admin: Account,
    receiver: Receiver,
    clock: FrozenClock,
) -> None:
    await create(client, admin, receiver.url)
    await happen(app)
    clock.advance(timedelta(days=30))
    await happen(app)
    await SCHEDULES[1].run(job_context(app))
    assert len(await rows(app, "SELECT id FROM webhook_deliveries")) == 1


async def test_pages_follow_one_another(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, receiver: Receiver
) -> None:
    webhook = await create(client, admin, receiver.url)
    for _ in range(3):
        await happen(app)
    address = f"{WEBHOOKS}/{webhook['id']}/deliveries?limit=2"
    first = await client.get(address, headers=admin.headers)
    second = await client.get(first.links["next"]["url"], headers=admin.headers)
    found = [one["id"] for one in [*first.json()["items"], *second.json()["items"]]]
    assert len(set(found)) == 3
    assert second.json()["next_cursor"] is None


async def test_the_worker_sends_what_a_user_does(
    client: httpx.AsyncClient, admin: Account, ann: Account, receiver: Receiver, inbox: Inbox
) -> None:
    await create(client, admin, receiver.url, kinds=["user.*"])
    await client.patch(ME, json={"bio": "Ornithologist"}, headers=ann.headers)
    await until(lambda: len(receiver.requests) == 1)
    assert json.loads(receiver.requests[0][1])["data"] == {
        "subject_id": ann.id,
        "actor_id": ann.id,
        "changed": ["bio"],
    }
