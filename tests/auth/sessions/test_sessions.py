"""One's sessions: what the list shows, how each is ended, and when they end by themselves."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from src.access.permissions import OWN_SCOPES
from src.access.principals import Principal
from src.config import Settings
from src.ids import uuid7
from tests.auth.support import (
    LOGOUT,
    ONE_REQUEST_ID,
    TOKEN,
    code,
    pair,
    refresh,
    rows,
    seen,
    whoami,
)
from tests.support import PASSWORD, Account, Accounts, FrozenClock, Inbox, all_jobs_done

SESSIONS = "/api/v1/auth/sessions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
INVALID_TOKEN = (401, "invalid_access_token")
INVALID_GRANT = (400, "invalid_grant")
MOMENT = timedelta(seconds=1)


async def sessions_of(client: httpx.AsyncClient, account: Account) -> list[dict[str, Any]]:
    """The list that a user sees."""
    answer = await client.get(SESSIONS, headers=account.headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def end(client: httpx.AsyncClient, account: Account, session_id: str) -> httpx.Response:
    """End a session by its id."""
    headers = account.headers | ONE_REQUEST_ID
    return await client.delete(f"{SESSIONS}/{session_id}", headers=headers)


async def current_id(client: httpx.AsyncClient, account: Account) -> str:
    """The id of the session that somebody uses."""
    return str(next(one["id"] for one in await sessions_of(client, account) if one["current"]))


async def test_a_session_says_where_and_when(
    client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock
) -> None:
    await accounts.add("ann")
    form = {"username": "ann", "password": PASSWORD}
    access, refresh_token = pair(
        await client.post(TOKEN, data=form, headers={"User-Agent": FIREFOX})
    )
    clock.advance(timedelta(minutes=5))
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    pair(await client.post(TOKEN, data=form, headers={"User-Agent": FIREFOX}))
    answer = await client.get(SESSIONS, headers={"Authorization": f"Bearer {access}"})
    body = answer.json()
    assert body["items"][0].pop("id")
    assert body == {
        "items": [
            {
                "device": "Firefox on Linux",
                "address": "127.0.0.1",
                "client_id": "plaza",
                "created_at": "2026-03-01T12:00:00Z",
                "last_used_at": "2026-03-01T12:05:00Z",
                "expires_at": "2026-03-15T12:05:00Z",
                "current": True,
            }
        ],
        "next_cursor": None,
    }


async def test_it_expires_at_the_earlier_of_two_times(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    access, newest = ann.access_token, ann.refresh_token
    for _ in range(5):
        clock.advance(timedelta(days=10))
        access, newest = pair(await refresh(client, newest))
    headers = {"Authorization": f"Bearer {access}"}
    [session] = (await client.get(SESSIONS, headers=headers)).json()["items"]
    assert session["expires_at"] == "2026-04-30T12:00:00Z"  # sixty days, not fourteen more


async def test_only_ones_own_living_sessions_are_listed_newest_first(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, clock: FrozenClock
) -> None:
    clock.advance(MOMENT)
    ended = await accounts.sign_in("ann")
    await client.post(LOGOUT, headers=ended.headers)
    clock.advance(MOMENT)
    await accounts.sign_in("bob")
    newest = await accounts.sign_in("ann")
    sessions = await sessions_of(client, ann)
    assert [one["current"] for one in sessions] == [False, True]
    assert [one["current"] for one in await sessions_of(client, newest)] == [True, False]


async def test_an_idle_session_is_neither_listed_nor_ended(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, clock: FrozenClock
) -> None:
    idle = await current_id(client, ann)
    clock.advance(timedelta(days=14))
    ann = await accounts.sign_in("ann")
    assert [one["current"] for one in await sessions_of(client, ann)] == [True]
    assert code(await end(client, ann, idle)) == (404, "not_found")


async def test_the_list_comes_in_pages(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, clock: FrozenClock
) -> None:
    for _ in range(6):
        await accounts.token("ann")  # at the same moment: the id decides
    everything = [one["id"] for one in await sessions_of(client, ann)]
    found, url = [], f"{SESSIONS}?limit=3"
    for length in (3, 3, 1):
        answer = await client.get(url, headers=ann.headers)
        page = answer.json()
        assert len(page["items"]) == length
        found += [one["id"] for one in page["items"]]
        url = f"{SESSIONS}?limit=3&cursor={page['next_cursor']}"
        assert ("link" in answer.headers) == (page["next_cursor"] is not None)
    assert url.endswith("cursor=None")
    assert found == everything
    assert len(set(found)) == 7
    for query in ("limit=0", "limit=101", "cursor=x", "user_id=1"):
        answer = await client.get(f"{SESSIONS}?{query}", headers=ann.headers)
        assert code(answer) == (422, "validation_error")
    assert (await client.get(f"{SESSIONS}?limit=100", headers=ann.headers)).status_code == 200


async def test_ending_one_session_ends_no_other(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    other = await accounts.sign_in("ann")
    answer = await end(client, ann, await current_id(client, other))
    assert (answer.status_code, answer.content) == (204, b"")
    assert code(await whoami(client, other.access_token)) == INVALID_TOKEN
    assert code(await refresh(client, other.refresh_token)) == INVALID_GRANT
    assert (await whoami(client, ann.access_token)).status_code == 200
    assert (await refresh(client, ann.refresh_token)).status_code == 200


async def test_one_may_end_the_session_one_uses(client: httpx.AsyncClient, ann: Account) -> None:
    assert (await end(client, ann, await current_id(client, ann))).status_code == 204
    assert code(await whoami(client, ann.access_token)) == INVALID_TOKEN


async def test_what_is_not_ones_own_or_has_ended_is_missing(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    bob = await accounts.sign_in("bob")
    ended = await accounts.sign_in("ann")
    ended_id = await current_id(client, ended)
    await client.post(LOGOUT, headers=ended.headers)
    bobs = await current_id(client, bob)
    answers = []
    for session_id in (str(uuid7()), bobs, ended_id):
        status, headers, body = seen(await end(client, ann, session_id))
        answers.append((status, headers, body.replace(session_id.encode(), b"ID")))
    assert answers[0][0] == 404
    assert answers[0] == answers[1] == answers[2]
    assert (await whoami(client, bob.access_token)).status_code == 200
    for not_an_id in ("me", "1", "{" + bobs + "}"):
        assert code(await end(client, ann, not_an_id)) == (422, "validation_error")


async def test_of_ten_that_end_a_session_at_once_one_does(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, ann: Account
) -> None:
    other = await current_id(client, await accounts.sign_in("ann"))
    answers = await asyncio.gather(*(end(client, ann, other) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 9
    signed_out = "SELECT details->>'session_id' FROM audit_log WHERE action = 'session.signed_out'"
    assert await rows(app, signed_out) == [other]


async def test_it_takes_a_session_to_see_and_end_sessions(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, ann: Account
) -> None:
    me = (await whoami(client, ann.access_token)).json()

    class PersonalTokens:
        """Whoever comes with such a token is Ann, without a session."""

        async def authenticate(self, token: str) -> Principal:
            return Principal(me["id"], None, frozenset(OWN_SCOPES), me)

    app.state.authenticators.insert(0, ("personal_", PersonalTokens()))
    mine = await current_id(client, ann)
    headers = {"Authorization": "Bearer personal_1"}
    assert (await whoami(client, "personal_1")).status_code == 200
    for method, path in (("GET", SESSIONS), ("DELETE", f"{SESSIONS}/{mine}"), ("POST", LOGOUT)):
        assert code(await client.request(method, path)) == (401, "not_authenticated")
        answer = await client.request(method, path, headers=headers)
        assert code(answer) == (403, "session_required")
    assert (await whoami(client, ann.access_token)).status_code == 200


async def test_reuse_is_told_to_the_owner_and_the_auditor_once(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    inbox: Inbox,
    clock: FrozenClock,
    ann: Account,
) -> None:
    living = await accounts.sign_in("ann")
    reused = await current_id(client, ann)
    access, _ = pair(await refresh(client, ann.refresh_token))
    assert (await whoami(client, access)).status_code == 200
    clock.advance(timedelta(seconds=11))
    answers = await asyncio.gather(*(refresh(client, ann.refresh_token) for _ in range(8)))
    assert {code(answer) for answer in answers} == {INVALID_GRANT}
    assert (await whoami(client, living.access_token)).status_code == 200
    assert (await refresh(client, living.refresh_token)).status_code == 200
    details = "SELECT details->>'session_id' FROM audit_log WHERE action = 'session.reuse_detected'"
    assert await rows(app, details) == [reused]
    await all_jobs_done(app)
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "A device was signed out"
    assert ann.refresh_token not in mail.text


class TestShortIdleTime:
    """SESSION_IDLE_LIFETIME is shorter than an access token lives."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"session_idle_lifetime": timedelta(minutes=5)})

    async def test_the_access_token_ends_with_the_session(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        clock.advance(timedelta(minutes=5) - MOMENT)
        assert (await whoami(client, ann.access_token)).status_code == 200
        clock.advance(MOMENT)
        assert code(await whoami(client, ann.access_token)) == INVALID_TOKEN


async def test_a_list_of_ones_own_is_kept_by_nobody_else(
    client: httpx.AsyncClient, ann: Account
) -> None:
    mine = await client.get(SESSIONS, headers=ann.headers)
    assert mine.headers["cache-control"] == "private, no-cache"
    assert "cache-control" not in (await client.get("/api/v1/posts")).headers
