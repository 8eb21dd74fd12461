"""Making, listing and deleting personal access tokens."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from src.jobs.tasks import JobContext
from src.mail.gateway import Mailer
from src.personal_tokens.service import MAX_LIVING
from src.personal_tokens.tasks import SCHEDULES
from tests.auth.support import LOGOUT, code, rows, whoami
from tests.personal_tokens.support import TOKENS, bearer, create, made
from tests.support import (
    PASSWORD,
    Account,
    Accounts,
    FrozenClock,
    Inbox,
    all_wait,
    problem_of,
)


async def test_a_token_is_made_and_shown_once(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    scopes = ["posts:write", "profile:read", "posts:write"]
    answer = await create(client, ann, name=" backup ", scopes=scopes)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()
    assert token["token"].startswith("plaza_pat_")
    assert token["name"] == "backup"
    assert token["scopes"] == ["profile:read", "posts:write"]
    assert token["last_used_at"] is None
    lifetime = datetime.fromisoformat(token["expires_at"]) - datetime.fromisoformat(
        token["created_at"]
    )
    assert lifetime == timedelta(days=30)
    text = token.pop("token")
    read = await client.get(answer.headers["location"], headers=ann.headers)
    assert read.json() == token
    listed = await client.get(TOKENS, headers=ann.headers)
    assert listed.json() == {"items": [token], "next_cursor": None}
    for table in ("personal_tokens", "audit_log", "pgqueuer"):
        for row in await rows(app, f"SELECT row_to_json(t)::text FROM {table} t"):  # noqa: S608
            assert text[-40:] not in row
            assert text.encode()[-40:].hex() not in row


async def test_the_owner_is_told(client: httpx.AsyncClient, ann: Account, inbox: Inbox) -> None:
    token = await made(client, ann)
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "A personal access token was made"
    assert token["token"] not in mail.text + (mail.html or "")


async def test_making_and_deleting_is_in_the_audit_log(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    token = await made(client, ann)
    await client.delete(f"{TOKENS}/{token['id']}", headers=ann.headers)
    entries = await rows(
        app,
        "SELECT row_to_json(a)::text FROM audit_log a WHERE action LIKE 'personal_token.%' "
        "ORDER BY id",
    )
    made_entry, deleted_entry = map(json.loads, entries)
    assert made_entry["action"] == "personal_token.created"
    assert deleted_entry["action"] == "personal_token.deleted"
    assert made_entry["user_id"] == deleted_entry["user_id"] == ann.id
    assert made_entry["details"] == {"token_id": token["id"], "scope": "profile:read"}
    assert deleted_entry["details"] == {"token_id": token["id"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": ["profile:read", "everything"]},
        {"scopes": ["PROFILE:READ"]},
        {"scopes": []},
        {"scopes": "profile:read"},
        {"scopes": ["profile:read"] * 100},
        {"name": ""},
        {"name": "two\nlines"},
        {"name": "x" * 81},
        {"name": "nul\0"},
        {"expires_in_days": 0},
        {"expires_in_days": 367},
        {"expires_in_days": 10**30},
        {"expires_in_days": "x"},
        {"user_id": "somebody"},
    ],
    ids=str,
)
async def test_wrong_input_is_refused(
    client: httpx.AsyncClient, ann: Account, fields: dict[str, Any]
) -> None:
    assert code(await create(client, ann, **fields)) == (422, "validation_error")
    assert (await client.get(TOKENS, headers=ann.headers)).json()["items"] == []


async def test_a_life_is_bounded_by_the_setting(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    week = app.state.settings.model_copy(update={"personal_token_lifetime": timedelta(days=7)})
    app.state.auth = replace(app.state.auth, settings=week)
    assert (await made(client, ann))["expires_at"] == "2026-03-08T12:00:00Z"
    assert (await made(client, ann, expires_in_days=7))["expires_at"] == "2026-03-08T12:00:00Z"
    assert code(await create(client, ann, expires_in_days=8)) == (422, "validation_error")


async def test_scopes_never_go_beyond_the_session(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("root", roles=("admin",))
    narrow = await accounts.sign_in("root", scope="profile:read profile:write")
    refused = await create(client, narrow, scopes=["profile:read", "posts:write"])
    assert code(refused) == (403, "insufficient_scope")
    assert 'scope="profile:read posts:write"' in refused.headers["www-authenticate"]
    assert code(await create(client, narrow, scopes=["users:manage"]))[0] == 403
    wide = await accounts.sign_in("root")
    token = await made(client, wide, scopes=["users:manage"])
    assert token["scopes"] == ["users:manage"]


async def test_scopes_never_go_beyond_the_roles(client: httpx.AsyncClient, ann: Account) -> None:
    assert code(await create(client, ann, scopes=["users:manage"])) == (403, "insufficient_scope")


async def test_pages_follow_one_another(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    for name in ("one", "two", "three"):
        await made(client, ann, name=name)
        clock.advance(timedelta(seconds=1))
    first = await client.get(f"{TOKENS}?limit=2", headers=ann.headers)
    assert [token["name"] for token in first.json()["items"]] == ["three", "two"]
    second = await client.get(first.links["next"]["url"], headers=ann.headers)
    assert [token["name"] for token in second.json()["items"]] == ["one"]
    assert second.json()["next_cursor"] is None


async def test_nobody_else_sees_or_deletes_it(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    token = await made(client, ann)
    address = f"{TOKENS}/{token['id']}"
    missing = f"{TOKENS}/01890000-0000-7000-8000-000000000000"
    same_id = bob.headers | {"X-Request-ID": "the-same"}
    for method in ("GET", "DELETE"):
        others = await client.request(method, address, headers=same_id)
        none = await client.request(method, missing, headers=same_id)
        assert others.status_code == 404
        assert others.content.replace(token["id"].encode(), b"") == none.content.replace(
            missing.rpartition("/")[2].encode(), b""
        )
    assert (await client.get(TOKENS, headers=bob.headers)).json()["items"] == []
    assert (await whoami(client, token["token"])).status_code == 200


async def test_a_deleted_token_is_dead_at_once(client: httpx.AsyncClient, ann: Account) -> None:
    token = await made(client, ann)
    assert (await whoami(client, token["token"])).status_code == 200
    address = f"{TOKENS}/{token['id']}"
    deleted = await client.delete(address, headers=ann.headers)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert code(await whoami(client, token["token"])) == (401, "invalid_access_token")
    assert (await client.get(address, headers=ann.headers)).status_code == 404
    assert (await client.delete(address, headers=ann.headers)).status_code == 404


async def test_deleted_twice_at_once_it_is_deleted_once(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    token = await made(client, ann)
    address = f"{TOKENS}/{token['id']}"
    answers = await asyncio.gather(*(client.delete(address, headers=ann.headers) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7
    entries = await rows(
        app, "SELECT action FROM audit_log WHERE action = 'personal_token.deleted'"
    )
    assert len(entries) == 1


async def test_of_sixty_at_once_fifty_are_made(
    client: httpx.AsyncClient, ann: Account, bob: Account, clock: FrozenClock
) -> None:
    await made(client, bob)
    answers = await asyncio.gather(*(create(client, ann, expires_in_days=1) for _ in range(60)))
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == 60 - MAX_LIVING
    assert {code(answer) for answer in refused} == {(409, "too_many_personal_tokens")}
    await made(client, bob)
    clock.advance(timedelta(days=1))  # expired ones do not count
    await made(client, ann)


async def test_a_token_cannot_make_or_see_tokens(client: httpx.AsyncClient, ann: Account) -> None:
    token = await made(client, ann, scopes=["profile:read", "profile:write"])
    data = {"name": "child", "scopes": ["profile:read"]}
    headers = bearer(token)
    address = f"{TOKENS}/{token['id']}"
    for answer in (
        await client.post(TOKENS, json=data, headers=headers),
        await client.get(TOKENS, headers=headers),
        await client.get(address, headers=headers),
        await client.delete(address, headers=headers),
        await client.post(LOGOUT, headers=headers),
    ):
        assert code(answer) == (403, "session_required")
    assert (await client.get(TOKENS)).status_code == 401


async def test_no_token_outlives_a_session_that_ended_meanwhile(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    """As a new password does: end the sessions and delete the tokens, holding the user's row."""
    async with app.state.database.independent_transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("SELECT 1 FROM users FOR UPDATE")
        asking = asyncio.create_task(create(client, ann))
        await all_wait(app, 1)
        await connection.exec_driver_sql("UPDATE sessions SET ended_at = now()")
        await connection.exec_driver_sql("DELETE FROM personal_tokens")
    assert code(await asking) == (401, "invalid_access_token")
    assert await rows(app, "SELECT id FROM personal_tokens") == []


async def test_expired_tokens_are_forgotten_after_a_month(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, clock: FrozenClock
) -> None:
    await made(client, ann, name="short", expires_in_days=1)
    clock.advance(timedelta(days=30))
    await made(client, ann, name="long", expires_in_days=300)
    state = app.state
    context = JobContext(state.settings, state.database, Mailer(state.settings), clock)
    [schedule] = SCHEDULES
    await schedule.run(context)
    assert len(await rows(app, "SELECT name FROM personal_tokens")) == 2
    clock.advance(timedelta(days=1))
    await schedule.run(context)
    assert await rows(app, "SELECT name FROM personal_tokens") == ["long"]


async def test_whoever_has_an_access_token_alone_cannot_make_one(
    client: httpx.AsyncClient, ann: Account
) -> None:
    assert code(await create(client, ann, current_password="not it")) == (400, "wrong_password")
    data = {"name": "backup", "scopes": ["profile:read"]}
    refused = await client.post(TOKENS, json=data, headers=ann.headers)
    assert code(refused) == (422, "validation_error")


async def test_a_repeated_request_makes_no_second_token(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    headers = ann.headers | {"Idempotency-Key": "backup"}
    data = {"current_password": PASSWORD, "name": "backup", "scopes": ["profile:read"]}
    answers = [await client.post(TOKENS, json=data, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert len((await client.get(TOKENS, headers=ann.headers)).json()["items"]) == 1
    assert (await client.get("/api/v1/users/me", headers=bearer(answers[1].json()))).is_success
    other = await client.post(TOKENS, json=data | {"name": "b"}, headers=headers)
    problem_of(other, 422, "idempotency_key_reused")
    text = answers[0].json()["token"].encode()
    [kept] = await rows(app, "SELECT encode(body, 'hex') FROM idempotency_keys")
    assert text.hex() not in kept
