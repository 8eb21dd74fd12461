"""One's own account: reading it, changing the profile, and what nobody changes themselves."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from tests.auth.support import JSON, ME, code, rows
from tests.support import Account, Accounts, FrozenClock

FIELDS = {"id", "email", "email_verified", "username", "display_name", "bio", "locale", "version"}
FIELDS |= {"email_undeliverable_at"}
FIELDS |= {"avatar_url", "posts_count", "created_at", "updated_at", "roles", "mfa_enabled"}
FIELDS |= {"requested_username"}
NOT_ONES_OWN: list[dict[str, object]] = [
    {"is_superuser": True},
    {"is_active": False},
    {"roles": ["administrator"]},
    {"permissions": ["users:manage"]},
    {"email_verified": True},
    {"email_verified_at": "2026-03-01T12:00:00Z"},
    {"email": "other@x.test"},
    {"password": "another good one"},
    {"password_hash": "x"},
    {"id": "00000000-0000-0000-0000-000000000000"},
    {"posts_count": 1000},
    {"requested_username": "ann"},
    {"version": 1000},
    {"created_at": "2020-01-01T00:00:00Z"},
]
BAD_VALUES: dict[str, list[bytes]] = {
    "username": [b'"ab"', b'"' + b"a" * 33 + b'"', b'"a b"', b'"a.b"', b'"\xd0\xb0nn"', b'"a/b"'],
    "display_name": [b'""', b'"  "', b'"a\\nb"', b'"a\\u202eb"', b'"' + b"a" * 81 + b'"'],
    "bio": [b'"' + b"x" * 2001 + b'"'],
    "locale": [b'"de"', b'"EN"', b'""', b'"../en"'],
}
HOSTILE = [b"null", b"1", b"NaN", b"1e999", b"true", b"[]", b"{}", b"9" * 5000, b"[" * 10_000]
HOSTILE += [b'"\\u0000"', b'"\\ud800"', b'"a\\udfffb"', b'"\xed\xa0\x80"', b'"\xff"', b"[" * 999]


async def patch(client: httpx.AsyncClient, account: Account, **changes: object) -> httpx.Response:
    """Change one's own profile."""
    return await client.patch(ME, headers=account.headers, json=changes)


async def me(client: httpx.AsyncClient, account: Account) -> dict[str, object]:
    """One's own account."""
    document: dict[str, object] = (await client.get(ME, headers=account.headers)).json()
    return document


async def test_one_reads_ones_own_account(client: httpx.AsyncClient, ann: Account) -> None:
    answer = await client.get(ME, headers=ann.headers)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    assert set(answer.json()) == FIELDS
    assert answer.json() | {"id": ann.id, "email": "ann@x.test", "username": "ann"} == answer.json()
    assert answer.json()["created_at"] == "2026-03-01T12:00:00Z"


async def test_one_changes_ones_profile_and_nobody_elses(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, clock: FrozenClock
) -> None:
    bob = await accounts.sign_in("bob")
    before, bobs = await me(client, ann), await me(client, bob)
    clock.advance(timedelta(minutes=1))
    changes = {
        "username": "Ann_2",
        "display_name": "  \u0410\u043d\u043d\u0430 \U0001f40e ",
        "bio": "Line\nline <b>&</b> \u2067",
        "locale": "ru",
    }
    answer = await patch(client, ann, **changes)
    assert answer.status_code == 200
    after = await me(client, ann)
    assert answer.json() == after
    assert after == before | changes | {
        "username": "ann_2",
        "display_name": "\u0410\u043d\u043d\u0430 \U0001f40e",
        "version": 2,
        "updated_at": "2026-03-01T12:01:00Z",
    }
    assert await me(client, bob) == bobs


async def test_what_is_left_out_stays(client: httpx.AsyncClient, ann: Account) -> None:
    await patch(client, ann, bio="about me")
    before = await me(client, ann)
    assert (await patch(client, ann)).json() == before
    assert (await patch(client, ann, bio="about me")).json() == before
    after = (await patch(client, ann, display_name="Anne")).json()
    assert after == before | {"display_name": "Anne", "version": 3}


async def test_nobody_gives_themselves_a_rank(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    stored = await rows(app, "SELECT u::text FROM users AS u")
    for extra in NOT_ONES_OWN:
        answer = await patch(client, ann, bio="changed", **extra)
        assert code(answer) == (422, "validation_error"), extra
        assert answer.json()["errors"][0]["loc"] == ["body", *extra]
    assert await rows(app, "SELECT u::text FROM users AS u") == stored


@pytest.mark.parametrize("field", BAD_VALUES)
async def test_a_value_out_of_bounds_is_refused(
    client: httpx.AsyncClient, ann: Account, field: str
) -> None:
    before = await me(client, ann)
    for value in BAD_VALUES[field] + HOSTILE:
        body = b'{"%s":%b}' % (field.encode(), value)
        answer = await client.patch(ME, headers=ann.headers | JSON, content=body)
        outcome = code(answer)
        assert outcome in {(422, "validation_error"), (400, "bad_request")}, value[:50]
    assert await me(client, ann) == before


async def test_a_taken_username_is_a_conflict_and_changes_nothing(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    await accounts.add("bob")
    before = await me(client, ann)
    for name in ("bob", "BOB", " Bob "):
        assert code(await patch(client, ann, username=name, bio="x")) == (409, "username_taken")
    assert await me(client, ann) == before
    assert (await patch(client, ann, username="ANN")).status_code == 200  # one's own is free


async def test_one_username_for_five_at_once_goes_to_one(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    five = [await accounts.sign_in(f"user{number}") for number in range(5)]
    answers = await asyncio.gather(*(patch(client, user, username="wanted") for user in five))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert (await client.get("/api/v1/users/wanted")).status_code == 200


async def test_parallel_changes_are_all_kept(client: httpx.AsyncClient, ann: Account) -> None:
    answers = await asyncio.gather(
        *(patch(client, ann, bio=f"bio {number}") for number in range(5)),
        *(patch(client, ann, display_name=f"Ann {number}") for number in range(5)),
    )
    assert {answer.status_code for answer in answers} == {200}
    versions = sorted(answer.json()["version"] for answer in answers)
    assert versions == list(range(2, 12))


async def test_a_stale_version_is_not_overwritten(client: httpx.AsyncClient, ann: Account) -> None:
    tag = (await client.get(ME, headers=ann.headers)).headers["etag"]
    first = ann.headers | {"If-Match": tag}
    changed = await client.patch(ME, headers=first, json={"bio": "first"})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    late = await client.patch(ME, headers=first, json={"bio": "second"})
    assert code(late) == (412, "precondition_failed")
    assert (await me(client, ann))["bio"] == "first"
    newest = ann.headers | {"If-Match": changed.headers["etag"]}
    assert (await client.patch(ME, headers=newest, json={"bio": "third"})).status_code == 200


async def test_an_unchanged_account_is_not_sent_again(
    client: httpx.AsyncClient, ann: Account
) -> None:
    tag = (await client.get(ME, headers=ann.headers)).headers["etag"]
    known = ann.headers | {"If-None-Match": tag}
    answer = await client.get(ME, headers=known)
    assert (answer.status_code, answer.content) == (304, b"")
    await patch(client, ann, bio="new")
    assert (await client.get(ME, headers=known)).status_code == 200
