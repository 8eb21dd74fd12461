"""Administrators manage webhooks; each act is in the audit log, and no secret is anywhere else."""

import asyncio
import base64
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.webhooks.models import Webhook
from src.webhooks.service import MAX_WEBHOOKS
from tests.auth.support import change, rows
from tests.support import Account, problem_of
from tests.webhooks.support import WEBHOOKS, create, deliveries, happen, secret, send

URL = "https://hooks.example/plaza"
ACTIONS = "SELECT action FROM audit_log WHERE action LIKE 'webhook.%' ORDER BY id"


async def test_a_webhook_is_made_read_changed_and_deleted(
    client: httpx.AsyncClient, app: FastAPI, admin: Account
) -> None:
    data = {"url": URL, "kinds": ["post.*", "user.deleted", "post.*"], "description": "Index"}
    made = await client.post(WEBHOOKS, json=data, headers=admin.headers)
    assert made.status_code == 201
    address = made.headers["location"]
    assert made.json()["kinds"] == ["post.*", "user.deleted"]
    assert made.json()["is_active"] is True
    read = await client.get(address, headers=admin.headers)
    assert (read.json(), read.headers["etag"]) == (made.json(), made.headers["etag"])
    listed = await client.get(WEBHOOKS, headers=admin.headers)
    assert listed.json() == {"items": [made.json()], "next_cursor": None}
    if_match = admin.headers | {"If-Match": read.headers["etag"]}
    changed = await client.patch(address, json={"kinds": ["*"]}, headers=if_match)
    assert (changed.json()["kinds"], changed.json()["version"]) == (["*"], 2)
    stale = await client.patch(address, json={"kinds": ["user.*"]}, headers=if_match)
    problem_of(stale, 412, "precondition_failed")
    assert (await client.delete(address, headers=if_match)).status_code == 412
    assert (await client.delete(address, headers=admin.headers)).status_code == 204
    assert (await client.get(address, headers=admin.headers)).status_code == 404
    assert await rows(app, ACTIONS) == ["webhook.created", "webhook.updated", "webhook.deleted"]


@pytest.mark.parametrize(
    "fields",
    [
        {"kinds": []},
        {"kinds": ["post"]},
        {"kinds": ["post.liked"]},
        {"kinds": ["POST.*"]},
        {"kinds": ["**"]},
        {"kinds": ["webhook.test"]},
        {"kinds": ["*"] * 100},
        {"kinds": "*"},
        {"kinds": None},
        {"url": None},
        {"url": 1},
        {"description": "x" * 201},
        {"description": "two\nlines"},
        {"secret": "whsec_AAAA"},
    ],
    ids=str,
)
async def test_wrong_input_is_refused(
    client: httpx.AsyncClient, admin: Account, fields: dict[str, Any]
) -> None:
    webhook = await create(client, admin, URL)
    data = {"url": URL, "kinds": ["*"]} | fields
    for answer in (
        await client.post(WEBHOOKS, json=data, headers=admin.headers),
        await client.patch(f"{WEBHOOKS}/{webhook['id']}", json=fields, headers=admin.headers),
    ):
        problem_of(answer, 422, "validation_error")


async def test_nobody_else_manages_webhooks(
    client: httpx.AsyncClient, admin: Account, ann: Account
) -> None:
    webhook = await create(client, admin, URL)
    address = f"{WEBHOOKS}/{webhook['id']}"
    for method, url in (
        ("GET", WEBHOOKS),
        ("POST", WEBHOOKS),
        ("GET", address),
        ("PATCH", address),
        ("DELETE", address),
        ("GET", f"{address}/secret"),
        ("POST", f"{address}/rotate-secret"),
        ("POST", f"{address}/test"),
        ("GET", f"{address}/deliveries"),
        ("POST", f"{address}/deliveries/{webhook['id']}/retry"),
    ):
        body = {"url": URL, "kinds": ["*"]} if method in {"POST", "PATCH"} else None
        refused = await client.request(method, url, json=body, headers=ann.headers)
        problem_of(refused, 403, "insufficient_scope")
        assert (await client.request(method, url, json=body)).status_code == 401


async def test_the_secret_is_shown_by_its_own_address_alone(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, caplog: pytest.LogCaptureFixture
) -> None:
    headers = admin.headers | {"Idempotency-Key": "index"}
    data = {"url": URL, "kinds": ["*"]}
    answers = [await client.post(WEBHOOKS, json=data, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len((await client.get(WEBHOOKS, headers=admin.headers)).json()["items"]) == 1
    text = await secret(client, admin, answers[0].json())
    assert text.startswith("whsec_")
    key = base64.b64decode(text.removeprefix("whsec_"))
    assert len(key) == 32
    assert text not in answers[0].text
    for table in ("webhooks", "idempotency_keys", "audit_log", "pgqueuer"):
        for row in await rows(app, f"SELECT row_to_json(t)::text FROM {table} t"):  # noqa: S608
            assert text[6:] not in row
            assert key.hex() not in row
    assert text[6:] not in caplog.text


async def test_a_rotated_secret_is_a_new_one_and_the_old_one_stays_for_a_day(
    client: httpx.AsyncClient, app: FastAPI, admin: Account
) -> None:
    webhook = await create(client, admin, URL)
    before = await secret(client, admin, webhook)
    address = f"{WEBHOOKS}/{webhook['id']}"
    answer = await client.post(f"{address}/rotate-secret", headers=admin.headers)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["secret"] != before
    assert answer.json()["previous_secret_until"] == "2026-03-02T12:00:00Z"
    assert await secret(client, admin, webhook) == answer.json()["secret"]
    assert await rows(app, ACTIONS) == ["webhook.created", "webhook.secret_rotated"]


async def test_after_a_change_of_secret_key_a_new_secret_is_made(
    client: httpx.AsyncClient, app: FastAPI, admin: Account
) -> None:
    webhook = await create(client, admin, URL)
    await happen(app)
    await change(app, update(Webhook).values(secret=b"sealed-with-another-secret-key"))
    address = f"{WEBHOOKS}/{webhook['id']}"
    lost = await client.get(f"{address}/secret", headers=admin.headers)
    problem_of(lost, 409, "webhook_secret_lost")
    await send(app, webhook)
    [delivery] = await deliveries(client, admin, webhook)
    assert (delivery["status"], delivery["last_error"]) == ("pending", "secret_lost")
    rotated = await client.post(f"{address}/rotate-secret", headers=admin.headers)
    assert rotated.json()["previous_secret_until"] is None
    assert await secret(client, admin, webhook) == rotated.json()["secret"]


async def test_disabling_and_enabling_is_told(
    client: httpx.AsyncClient, app: FastAPI, admin: Account
) -> None:
    webhook = await create(client, admin, URL)
    address = f"{WEBHOOKS}/{webhook['id']}"
    off = await client.patch(address, json={"is_active": False}, headers=admin.headers)
    assert off.json()["disabled_reason"] == "by_administrator"
    assert off.json()["disabled_at"] == "2026-03-01T12:00:00Z"
    refused = await client.post(f"{address}/test", headers=admin.headers)
    problem_of(refused, 409, "webhook_disabled")
    on = await client.patch(address, json={"is_active": True}, headers=admin.headers)
    assert (on.json()["disabled_reason"], on.json()["disabled_at"]) == (None, None)
    assert await rows(app, ACTIONS) == ["webhook.created", "webhook.disabled", "webhook.enabled"]


async def test_of_sixty_at_once_fifty_are_made(client: httpx.AsyncClient, admin: Account) -> None:
    data = {"url": URL, "kinds": ["*"]}
    answers = await asyncio.gather(
        *(client.post(WEBHOOKS, json=data, headers=admin.headers) for _ in range(60))
    )
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == 60 - MAX_WEBHOOKS
    assert {answer.json()["code"] for answer in refused} == {"too_many_webhooks"}


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, admin: Account) -> None:
    one, other = [await create(client, admin, URL) for _ in range(2)]
    sent = await client.post(f"{WEBHOOKS}/{one['id']}/test", headers=admin.headers)
    of_other = f"{WEBHOOKS}/{other['id']}/deliveries/{sent.json()['id']}/retry"
    missing = f"{WEBHOOKS}/01890000-0000-7000-8000-000000000000"
    for method, url in (
        ("POST", of_other),
        ("GET", missing),
        ("PATCH", missing),
        ("DELETE", missing),
        ("GET", f"{missing}/secret"),
        ("POST", f"{missing}/rotate-secret"),
        ("POST", f"{missing}/test"),
        ("GET", f"{missing}/deliveries"),
    ):
        body: dict[str, Any] | None = {} if method == "PATCH" else None
        answer = await client.request(method, url, json=body, headers=admin.headers)
        problem_of(answer, 404, "not_found")
