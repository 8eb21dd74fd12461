"""Signing out: what ends, and what goes on."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from tests.auth.oauth.support import add_client
from tests.auth.support import JSON, LOGOUT, code, refresh, sign_in, whoami
from tests.support import Account, Accounts, FrozenClock


async def is_dead(client: httpx.AsyncClient, account: Account) -> bool:
    """Whether a session has ended: both of its tokens, or neither."""
    access = await whoami(client, account.access_token)
    refreshed = await refresh(client, account.refresh_token)
    if access.status_code == refreshed.status_code == 200:
        return False
    assert code(access) == (401, "invalid_access_token")
    assert 'error="invalid_token"' in access.headers["www-authenticate"]
    assert code(refreshed) == (400, "invalid_grant")
    return True


@pytest.mark.parametrize(
    ("body", "dead"),
    [
        pytest.param(None, [True, False, False], id="no body"),
        pytest.param({}, [True, False, False], id="no scope"),
        pytest.param({"scope": "this"}, [True, False, False], id="this"),
        pytest.param({"scope": "others"}, [False, True, True], id="others"),
        pytest.param({"scope": "all"}, [True, True, True], id="all"),
    ],
)
async def test_signing_out_ends_the_sessions_asked_for(
    client: httpx.AsyncClient, accounts: Accounts, body: dict[str, str] | None, dead: list[bool]
) -> None:
    mine = [await accounts.sign_in("ann") for _ in range(3)]
    bob = await accounts.sign_in("bob")
    answer = await client.post(LOGOUT, headers=mine[0].headers, json=body)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [await is_dead(client, session) for session in mine] == dead
    assert not await is_dead(client, bob)
    assert (await sign_in(client, "ann")).status_code == 200


async def test_an_unknown_wish_ends_nothing(client: httpx.AsyncClient, accounts: Accounts) -> None:
    ann = await accounts.sign_in("ann")
    for body in ('{"scope": "everybody"}', '{"scope": null}', '{"session_id": "x"}', "[]", "{"):
        answer = await client.post(LOGOUT, headers=ann.headers | JSON, content=body)
        assert code(answer) == (422, "validation_error"), body
    assert not await is_dead(client, ann)


async def test_one_has_to_be_signed_in_to_sign_out(client: httpx.AsyncClient) -> None:
    assert code(await client.post(LOGOUT)) == (401, "not_authenticated")


async def test_signing_out_twice_is_refused(client: httpx.AsyncClient, accounts: Accounts) -> None:
    ann = await accounts.sign_in("ann")
    await client.post(LOGOUT, headers=ann.headers)
    assert code(await client.post(LOGOUT, headers=ann.headers)) == (401, "invalid_access_token")


async def test_an_ended_session_cannot_end_others(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ended, living = await accounts.sign_in("ann"), await accounts.sign_in("ann")
    await client.post(LOGOUT, headers=ended.headers)
    answer = await client.post(LOGOUT, headers=ended.headers, json={"scope": "all"})
    assert code(answer) == (401, "invalid_access_token")
    assert not await is_dead(client, living)


async def test_everybody_signing_out_everybody_at_once(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    sessions = [await accounts.sign_in("ann") for _ in range(10)]
    scopes = ("all", "others", "this")
    answers = await asyncio.gather(
        *(
            client.post(LOGOUT, headers=session.headers, json={"scope": scopes[number % 3]})
            for number, session in enumerate(sessions)
        )
    )
    assert {answer.status_code for answer in answers} <= {204, 401}
    assert all([await is_dead(client, session) for session in sessions])


class TestWithTheRefreshToken:
    """Whoever signs out late has no living access token any more."""

    @pytest.mark.parametrize("access", ["none", "expired", "of an ended session"])
    async def test_it_ends_its_session_and_no_other(
        self, client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock, access: str
    ) -> None:
        ann, other, bob = [await accounts.sign_in(name) for name in ("ann", "ann", "bob")]
        headers = {} if access == "none" else ann.headers
        if access == "of an ended session":
            ended = await accounts.sign_in("ann")
            await client.post(LOGOUT, headers=ended.headers)
            headers = ended.headers
        clock.advance(timedelta(minutes=11))
        body = {"refresh_token": ann.refresh_token}
        for _ in range(2):  # the second has nothing to do
            answer = await client.post(LOGOUT, headers=headers, json=body)
            assert (answer.status_code, answer.content) == (204, b"")
        assert code(await refresh(client, ann.refresh_token)) == (400, "invalid_grant")
        for living in (other, bob):
            assert (await refresh(client, living.refresh_token)).status_code == 200

    async def test_a_spent_one_serves(
        self, client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock
    ) -> None:
        ann = await accounts.sign_in("ann")
        newest = (await refresh(client, ann.refresh_token)).json()["refresh_token"]
        clock.advance(timedelta(days=1))
        await client.post(LOGOUT, json={"refresh_token": ann.refresh_token})
        assert code(await refresh(client, newest)) == (400, "invalid_grant")

    async def test_one_that_is_not_ours_ends_nothing(
        self, client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
    ) -> None:
        ann = await accounts.sign_in("ann")
        shop = await add_client(app, "profile:read")
        shops = (await accounts.token("ann", **shop.form)).json()["refresh_token"]
        last = "A" if ann.refresh_token[-1] != "A" else "E"
        for token in ("x", "A" * 70, ann.refresh_token[:-1] + last, ann.access_token[:200], shops):
            answer = await client.post(LOGOUT, json={"refresh_token": token})
            assert answer.status_code == 204
        assert not await is_dead(client, ann)
        assert (await refresh(client, shops, **shop.form)).status_code == 200

    async def test_a_living_access_token_comes_first(
        self, client: httpx.AsyncClient, accounts: Accounts
    ) -> None:
        ann, bob = await accounts.sign_in("ann"), await accounts.sign_in("bob")
        body = {"refresh_token": bob.refresh_token}
        assert (await client.post(LOGOUT, headers=ann.headers, json=body)).status_code == 204
        assert await is_dead(client, ann)
        assert not await is_dead(client, bob)

    async def test_nothing_or_more_than_its_session_is_refused_with_advice(
        self, client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock
    ) -> None:
        ann = await accounts.sign_in("ann")
        clock.advance(timedelta(minutes=11))
        for scope in ("others", "all"):
            body = {"refresh_token": ann.refresh_token, "scope": scope}
            answer = await client.post(LOGOUT, json=body)
            assert code(answer) == (401, "not_authenticated")
        answer = await client.post(LOGOUT, headers=ann.headers)
        assert code(answer) == (401, "invalid_access_token")
        assert "refresh_token" in answer.json()["detail"]
        assert (await refresh(client, ann.refresh_token)).status_code == 200
