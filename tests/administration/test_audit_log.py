"""The audit log: what it shows, and that nothing takes a line out of it."""

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete

from src.config import Settings
from src.users.models import User
from tests.administration.support import AUDIT, USERS, actions, change, entries
from tests.auth.support import ME, rows
from tests.auth.support import change as execute
from tests.support import Account, Accounts, FrozenClock, problem_of, query

FIELDS = {"id", "at", "action", "actor_id", "user_id", "address", "device", "details"}
WRONG_QUERIES = [
    "user_id=ann",
    "user_id=",
    "actor_id=0",
    "action=",
    "action=%25",
    "action=a%00b",
    "action=" + "a" * 65,
    "since=yesterday",
    "until=1e400",
    "details=x",
    "cursor=x",
    "limit=0",
    "limit=101",
]
CHANGES = [
    "UPDATE audit_log SET action = 'nothing'",
    "UPDATE audit_log SET details = details WHERE false",
    "DELETE FROM audit_log",
    "DELETE FROM audit_log WHERE false",
    "TRUNCATE audit_log",
    "TRUNCATE users, audit_log CASCADE",
    "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET action = ''",
    "MERGE INTO audit_log USING users ON true WHEN MATCHED THEN DELETE",
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with access tokens for a month."""
    return settings.model_copy(update={"access_token_lifetime": timedelta(days=30)})


async def test_an_entry_says_who_did_what_to_whom_when_and_from_where(
    client: httpx.AsyncClient, admin: Account, ann: Account
) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
    headers = admin.headers | {"User-Agent": agent}
    await client.patch(f"{USERS}/{ann.id}", json={"is_active": False}, headers=headers)
    entry = (await entries(client, admin))[0]
    assert set(entry) == FIELDS
    assert entry | {"id": ""} == {
        "id": "",
        "at": "2026-03-01T12:00:00Z",
        "action": "account.disabled",
        "actor_id": admin.id,
        "user_id": ann.id,
        "address": "127.0.0.1",
        "device": "Firefox on Linux",
        "details": {"before": True, "after": False},
    }


async def test_filters_narrow_the_log(
    client: httpx.AsyncClient, admin: Account, ann: Account, clock: FrozenClock
) -> None:
    clock.advance(timedelta(days=1))
    await change(client, admin, ann.id, roles=["moderator"])
    clock.advance(timedelta(days=1))
    await change(client, admin, ann.id, is_active=False)
    late, early = "account.disabled", "roles.changed"
    everything = [late, early, "sign_in.succeeded", "sign_in.succeeded"]
    expected: list[tuple[dict[str, Any], list[str]]] = [
        ({}, everything),
        ({"user_id": ann.id}, [late, early, "sign_in.succeeded"]),
        ({"actor_id": ann.id}, ["sign_in.succeeded"]),
        ({"actor_id": admin.id}, [late, early, "sign_in.succeeded"]),
        ({"actor_id": admin.id, "user_id": ann.id}, [late, early]),
        ({"action": "roles.changed"}, [early]),
        ({"action": "roles"}, []),
        ({"since": "2026-03-02T12:00:00Z"}, [late, early]),
        ({"since": "2026-03-02T12:00:01Z"}, [late]),
        ({"until": "2026-03-03T12:00:00Z"}, everything[1:]),
        ({"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00+00:00"}, [early]),
        ({"user_id": ann.id, "action": "account.disabled", "limit": 1}, [late]),
    ]
    for filters, wanted in expected:
        assert await actions(client, admin, **filters) == wanted, filters


async def test_the_log_comes_page_by_page(
    client: httpx.AsyncClient, admin: Account, ann: Account
) -> None:
    for number in range(11):
        await change(client, admin, ann.id, is_active=number % 2 == 1)
    url: str | None = f"{AUDIT}?limit=4&user_id={ann.id}&actor_id={admin.id}"
    seen: list[str] = []
    while url:
        page = await client.get(url, headers=admin.headers)
        seen += [entry["id"] for entry in page.json()["items"]]
        url = page.links["next"]["url"] if page.links else None
    assert len(seen) == len(set(seen)) == 11
    assert seen == sorted(seen, reverse=True)


async def test_a_filter_that_is_not_known_or_not_right_is_refused(
    client: httpx.AsyncClient, admin: Account
) -> None:
    for wrong in WRONG_QUERIES:
        answer = await client.get(f"{AUDIT}?{wrong}", headers=admin.headers)
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["query", wrong.partition("=")[0]]


async def test_a_failure_is_written_down_though_its_request_is_undone(
    client: httpx.AsyncClient,
    accounts: Accounts,
    admin: Account,
    ann: Account,
    clock: FrozenClock,
) -> None:
    problem_of(await accounts.token("ann", password="wrong"), 400, "invalid_grant")
    clock.advance(timedelta(seconds=1))
    problem_of(await accounts.token("nobody", password="wrong"), 400, "invalid_grant")
    unknown, known = await entries(client, admin, action="sign_in.failed")
    assert (unknown["user_id"], unknown["actor_id"]) == (None, None)
    assert (known["user_id"], known["actor_id"]) == (ann.id, None)
    assert known["address"] == "127.0.0.1"
    assert known["details"] == {}


async def test_whoever_asks_for_a_new_password_is_not_known_to_be_the_user(
    client: httpx.AsyncClient, admin: Account, ann: Account
) -> None:
    await client.post("/api/v1/auth/password/forgot", json={"email": "ann@x.test"})
    [entry] = await entries(client, admin, action="password.reset_requested")
    assert (entry["user_id"], entry["actor_id"]) == (ann.id, None)


async def test_what_is_undone_is_not_written_down(
    client: httpx.AsyncClient, admin: Account
) -> None:
    problem_of(await change(client, admin, admin.id, is_active=False), 409, "last_administrator")
    assert await actions(client, admin) == ["sign_in.succeeded"]


@pytest.mark.parametrize("statement", CHANGES)
async def test_the_log_is_only_added_to(
    app: FastAPI, database_url: str, admin: Account, statement: str
) -> None:
    everything = "SELECT to_json(audit_log)::text FROM audit_log ORDER BY id"
    before = await rows(app, everything)
    assert before
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await query(database_url, statement)
    assert await rows(app, everything) == before


async def test_entries_stay_when_the_user_goes(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, ann: Account
) -> None:
    await change(client, admin, ann.id, roles=["moderator"])
    before = await entries(client, admin, user_id=ann.id)
    assert len(before) == 2
    await execute(app, delete(User).where(User.username == "ann"))
    problem_of(await client.get(ME, headers=ann.headers), 401, "invalid_access_token")
    assert await entries(client, admin, user_id=ann.id) == before
