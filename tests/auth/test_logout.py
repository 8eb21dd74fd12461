"""Signing out: what ends, and what goes on."""

import asyncio

import httpx
import pytest

from tests.auth.support import JSON, LOGOUT, code, refresh, sign_in, whoami
from tests.support import Account, Accounts


async def is_dead(client: httpx.AsyncClient, account: Account) -> bool:
    """Whether a session has ended: both of its tokens, or neither."""
    access = await whoami(client, account.access_token)
    refreshed = await refresh(client, account.refresh_token)
    if access.status_code == refreshed.status_code == 200:
        return False
    assert code(access) == (401, "invalid_token")
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
    assert code(await client.post(LOGOUT, headers=ann.headers)) == (401, "invalid_token")


async def test_an_ended_session_cannot_end_others(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ended, living = await accounts.sign_in("ann"), await accounts.sign_in("ann")
    await client.post(LOGOUT, headers=ended.headers)
    answer = await client.post(LOGOUT, headers=ended.headers, json={"scope": "all"})
    assert code(answer) == (401, "invalid_token")
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
