"""The list of users, one user's account, and what an administrator changes of it."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.config import Settings
from src.users.models import User
from tests.administration.support import (
    AUDIT,
    NOBODY,
    USERS,
    actions,
    change,
    entries,
    names,
    read,
    users,
)
from tests.auth.support import ME
from tests.auth.support import change as execute
from tests.support import Account, Accounts, FrozenClock, Inbox, problem_of

MORE_THAN_ONES_OWN = {"is_active", "last_sign_in_at"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with access tokens for a month."""
    return settings.model_copy(update={"access_token_lifetime": timedelta(days=30)})


@pytest.fixture
async def many(
    app: FastAPI, accounts: Accounts, admin: Account, ann: Account, clock: FrozenClock
) -> None:
    """Admin and ann of the first of March; then, a day apart, bob_1, carl, dora and eve."""
    people: list[dict[str, Any]] = [
        {"username": "bob_1"},
        {"username": "carl", "active": False},
        {"username": "dora", "confirmed": False},
        {"username": "eve", "roles": ("moderator",)},
    ]
    for person in people:
        clock.advance(timedelta(days=1))
        await accounts.add(**person)
    await execute(
        app, update(User).where(User.username == "eve").values(display_name="Ева 100% \\o/")
    )


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["eve", "dora", "carl", "bob_1"]),
    ({"role": "admin"}, ["admin"]),
    ({"role": "moderator"}, ["eve"]),
    ({"is_active": "false"}, ["carl"]),
    ({"is_active": "true", "q": "r"}, ["dora"]),
    ({"email_verified": "false"}, ["dora"]),
    ({"email_verified": "true", "is_active": "true", "role": "moderator"}, ["eve"]),
    ({"q": "bob_1"}, ["bob_1"]),
    ({"q": "BOB"}, ["bob_1"]),
    ({"q": "ra@x.te"}, ["dora"]),
    ({"q": "@X.TEST", "limit": 2}, ["eve", "dora"]),
    ({"q": "  carl  "}, ["carl"]),
    ({"q": "ева"}, ["eve"]),
    ({"q": "_"}, ["bob_1"]),
    ({"q": "%"}, ["eve"]),
    ({"q": "\\"}, ["eve"]),
    ({"q": "\\o"}, ["eve"]),
    ({"q": "b%1"}, []),
    ({"q": "b_b"}, []),
    ({"q": "'; DROP TABLE users; --"}, []),
    ({"q": "nobody"}, []),
    ({"created_after": "2026-03-04T00:00:00Z"}, ["eve", "dora"]),
    (
        {"created_before": "2026-03-03T00:00:00Z", "created_after": "2026-03-02T00:00:00Z"},
        ["bob_1"],
    ),
    ({"created_before": "2026-03-05T12:00:00Z"}, ["dora", "carl", "bob_1"]),
    ({"created_after": "2026-03-05T12:00:00Z"}, []),
    ({"limit": 3}, ["eve", "dora", "carl"]),
]
WRONG_QUERIES = [
    "q=",
    "q=%20",
    "q=" + "x" * 101,
    "q=a%00b",
    "q=a%0Ab",
    "role=root",
    "role=",
    "is_active=maybe",
    "email_verified=2",
    "created_after=yesterday",
    "created_before=0",
    "sort=email",
    "cursor=x",
    "limit=0",
    "limit=101",
]


async def test_filters_narrow_the_list(
    client: httpx.AsyncClient, admin: Account, many: None
) -> None:
    for filters, expected in FILTERS:
        found = await users(client, admin, **filters)
        assert [name for name in found if name not in {"admin", "ann"} or len(found) == 1] == (
            expected
        ), filters


async def test_text_is_found_in_any_form_of_it(
    client: httpx.AsyncClient, app: FastAPI, admin: Account, ann: Account
) -> None:
    values = {"display_name": "Zo\u00eb \u0419", "email": "zo\u00eb@b\u00fccher.test"}
    await execute(app, update(User).where(User.username == "ann").values(values))
    for words in ("zo\u00eb \u0439", "ZOE\u0308 \u0418\u0306", "zoe\u0308@", "\u00cb@bu\u0308ch"):
        assert await users(client, admin, q=words) == ["ann"], words
    for words in ("xn--bcher-kva.test", "ZO\u00cb@XN--BCHER-KVA.TEST", "B\u00dcCHER.TEST"):
        assert await users(client, admin, q=words) == ["ann"], words
    assert await users(client, admin, q="xn--bcher") == []


async def test_the_list_comes_page_by_page(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, clock: FrozenClock
) -> None:
    for number in range(25):
        await accounts.add(f"user-{number}")
        clock.advance(timedelta(seconds=number % 2))  # some at the same moment
    url: str | None = f"{USERS}?limit=10&is_active=true&q=user"
    pages = []
    while url:
        page = await client.get(url, headers=admin.headers)
        pages.append(names(page))
        await accounts.add(f"user-late-{len(pages)}")  # shifts nothing
        url = page.links["next"]["url"] if page.links else None
    assert [len(page) for page in pages] == [10, 10, 5]
    assert {name for page in pages for name in page} == {f"user-{number}" for number in range(25)}
    assert len(names(await client.get(f"{USERS}?limit=100", headers=admin.headers))) == 29


async def test_a_filter_that_is_not_known_or_not_right_is_refused(
    client: httpx.AsyncClient, admin: Account
) -> None:
    for query in WRONG_QUERIES:
        answer = await client.get(f"{USERS}?{query}", headers=admin.headers)
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["query", query.partition("=")[0]]


async def test_a_filter_that_holds_for_few_is_planned_for_its_value(
    client: httpx.AsyncClient, app: FastAPI, admin: Account
) -> None:
    """The plan for any value walks all users for a rare one."""
    queries = ["q=admin", "role=admin", "is_active=false", "email_verified=false"]
    for query in [*queries * 10, *[""] * 10]:
        assert (await client.get(f"{USERS}?{query}", headers=admin.headers)).status_code == 200
    prepared = await app.state.database.reads.fetch(
        "SELECT statement FROM pg_prepared_statements WHERE generic_plans > 0"
        " AND position('FROM users ' IN statement) > 0",
        [],
    )
    generic = " ".join(row["statement"] for row in prepared)
    assert "ORDER BY users.created_at" in generic
    for condition in ("LIKE", "@>", "is_active =", "IS NOT NULL) ="):
        assert condition not in generic, condition


async def test_an_administrator_reads_an_account_by_its_id(
    client: httpx.AsyncClient, admin: Account, ann: Account, clock: FrozenClock
) -> None:
    own = (await client.get(ME, headers=ann.headers)).json()
    answer = await read(client, admin, ann.id)
    assert answer.status_code == 200
    account = answer.json()
    assert set(account) == set(own) | MORE_THAN_ONES_OWN
    assert {name: account[name] for name in own} == own
    assert account["is_active"] is True
    assert account["last_sign_in_at"] == "2026-03-01T12:00:00Z"
    assert (await read(client, admin, ann.id.upper())).json() == account
    listed = (await client.get(f"{USERS}?q=ann", headers=admin.headers)).json()["items"]
    assert listed == [account]
    cached = {"If-None-Match": answer.headers["etag"]}
    answer = await client.get(f"{USERS}/{ann.id}", headers=admin.headers | cached)
    assert answer.status_code == 304


async def test_a_username_never_reads_an_account(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account
) -> None:
    """Not even one that could be taken for an id."""
    for username in ("a" * 32, "0190a0b0-c0d0-7000-8000-00000000"):
        await accounts.add(username)
        for headers in ({}, admin.headers):
            profile = await client.get(f"{USERS}/{username}", headers=headers)
            assert profile.json()["username"] == username
            assert "email" not in profile.json()
        problem_of(await change(client, admin, username, is_active=False), 422, "validation_error")


async def test_disabling_is_recorded_and_the_user_is_told(
    client: httpx.AsyncClient, admin: Account, ann: Account, inbox: Inbox
) -> None:
    changed = await change(client, admin, ann.id, is_active=False)
    assert changed.json()["is_active"] is False
    assert changed.json() == (await read(client, admin, ann.id)).json()
    [entry] = await entries(client, admin, user_id=ann.id, action="account.disabled")
    assert entry["actor_id"] == admin.id
    assert entry["details"] == {"before": True, "after": False}
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "Your account has been disabled"
    await change(client, admin, ann.id, is_active=True)
    [mail, _] = await inbox.mails("ann@x.test", 2)
    assert mail.subject == "Your account has been enabled"
    [entry] = await entries(client, admin, user_id=ann.id, action="account.enabled")
    assert entry["details"] == {"before": False, "after": True}


async def test_giving_roles_is_recorded_and_the_user_is_told(
    client: httpx.AsyncClient, admin: Account, ann: Account, clock: FrozenClock, inbox: Inbox
) -> None:
    roles = ["moderator", "admin", "moderator"]
    changed = (await change(client, admin, ann.id, roles=roles)).json()
    assert changed["roles"] == ["admin", "moderator"]
    assert changed == (await read(client, admin, ann.id)).json()
    clock.advance(timedelta(seconds=1))
    await change(client, admin, ann.id, roles=[])
    taken, given = await entries(client, admin, user_id=ann.id, action="roles.changed")
    assert {taken["actor_id"], given["actor_id"]} == {admin.id}
    assert given["details"] == {"before": [], "after": ["admin", "moderator"]}
    assert taken["details"] == {"before": ["admin", "moderator"], "after": []}
    for mail in await inbox.mails("ann@x.test", 2):
        assert mail.subject == "Your roles have changed"
        assert "When: 2026-03-01 12:00 UTC" in mail.text
        assert "From:" not in mail.text


async def test_what_changes_nothing_leaves_no_trace(
    client: httpx.AsyncClient, admin: Account, ann: Account, clock: FrozenClock
) -> None:
    before = await read(client, admin, ann.id)
    clock.advance(timedelta(seconds=1))
    log = await actions(client, admin)
    nothing_new: list[dict[str, object]] = [
        {},
        {"is_active": True},
        {"roles": []},
        {"is_active": True, "roles": []},
    ]
    for changes in nothing_new:
        answer = await change(client, admin, ann.id, **changes)
        assert answer.json() == before.json()
        assert answer.headers["etag"] == before.headers["etag"]
    assert await actions(client, admin) == log


@pytest.mark.parametrize(
    "changes",
    [
        {"roles": ["root"]},
        {"roles": ["Admin"]},
        {"roles": "admin"},
        {"roles": None},
        {"roles": [["admin"]]},
        {"roles": ["admin"] * 21},
        {"is_active": None},
        {"is_active": "perhaps"},
        {"email": "other@x.test"},
        {"email_verified": True},
        {"mfa_enabled": False},
        {"username": "other"},
        {"password": "another good one"},
        {"is_active": False, "is_superuser": True},
    ],
)
async def test_an_unknown_role_or_field_changes_nothing(
    client: httpx.AsyncClient, admin: Account, ann: Account, changes: dict[str, object]
) -> None:
    before = (await read(client, admin, ann.id)).json()
    problem_of(await change(client, admin, ann.id, **changes), 422, "validation_error")
    assert (await read(client, admin, ann.id)).json() == before


async def test_if_match_guards_against_a_change_made_meanwhile(
    client: httpx.AsyncClient, admin: Account, ann: Account
) -> None:
    tag = (await read(client, admin, ann.id)).headers["etag"]
    await client.patch(ME, json={"bio": "new"}, headers=ann.headers)
    url, headers = f"{USERS}/{ann.id}", admin.headers | {"If-Match": tag}
    answer = await client.patch(url, json={"is_active": False}, headers=headers)
    problem_of(answer, 412, "precondition_failed")
    headers["If-Match"] = (await read(client, admin, ann.id)).headers["etag"]
    changed = await client.patch(url, json={"is_active": False}, headers=headers)
    assert changed.status_code == 200
    assert changed.headers["etag"] == (await read(client, admin, ann.id)).headers["etag"]
    answer = await client.patch(url, json={"is_active": True}, headers=headers)
    problem_of(answer, 412, "precondition_failed")


async def test_roles_are_for_those_whose_address_is_confirmed(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account
) -> None:
    """The account may be started over by whoever does own the address."""
    dora = str((await accounts.add("dora", confirmed=False)).id)
    problem_of(await change(client, admin, dora, roles=["moderator"]), 409, "email_not_verified")
    assert (await read(client, admin, dora)).json()["roles"] == []
    assert (await change(client, admin, dora, is_active=False)).status_code == 200


@pytest.mark.parametrize(("active", "roles"), [(False, ["moderator"]), (True, ["admin"])])
async def test_two_changes_at_once_are_both_made(
    client: httpx.AsyncClient,
    admin: Account,
    ann: Account,
    active: bool,  # noqa: FBT001 - pytest gives it by name
    roles: list[str],
) -> None:
    for _ in range(5):
        await change(client, admin, ann.id, is_active=not active, roles=[])
        answers = await asyncio.gather(
            change(client, admin, ann.id, is_active=active),
            change(client, admin, ann.id, roles=roles),
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        account = (await read(client, admin, ann.id)).json()
        assert (account["is_active"], account["roles"]) == (active, roles)


async def test_a_sign_in_and_a_disabling_at_once_leave_nobody_signed_in(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, ann: Account
) -> None:
    for _ in range(5):
        answers = await asyncio.gather(
            *(accounts.token("ann") for _ in range(3)),
            change(client, admin, ann.id, is_active=False),
            *(accounts.token("ann") for _ in range(3)),
        )
        for answer in answers:
            if "access_token" in answer.json():
                headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
                problem_of(await client.get(ME, headers=headers), 401, "invalid_access_token")
        await change(client, admin, ann.id, is_active=True)
        for answer in answers:
            if "refresh_token" in answer.json():
                headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
                problem_of(await client.get(ME, headers=headers), 401, "invalid_access_token")


async def test_unknown_users_are_not_found_in_the_lists(
    client: httpx.AsyncClient, admin: Account
) -> None:
    answer = await client.get(AUDIT, params={"user_id": NOBODY}, headers=admin.headers)
    assert answer.json() == {"items": [], "next_cursor": None}
