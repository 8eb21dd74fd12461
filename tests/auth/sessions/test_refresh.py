"""Refreshing: rotation, the grace for what was just spent, and what reuse ends (RFC 9700, 4.14)."""

import asyncio
from datetime import timedelta

import httpx
from fastapi import FastAPI

from src.auth.sessions.service import MAX_EARLIER_REFRESHES
from tests.auth.support import LOGOUT, code, pair, refresh, rows, segment, whoami
from tests.support import Account, Accounts, FrozenClock

INVALID_GRANT = (400, "invalid_grant")
INVALID_TOKEN = (401, "invalid_access_token")
GRACE = timedelta(seconds=10)
MOMENT = timedelta(seconds=1)


async def assert_dead(client: httpx.AsyncClient, access_token: str, refresh_token: str) -> None:
    assert code(await whoami(client, access_token)) == INVALID_TOKEN
    assert code(await refresh(client, refresh_token)) == INVALID_GRANT


async def assert_alive(client: httpx.AsyncClient, access_token: str, refresh_token: str) -> None:
    assert (await whoami(client, access_token)).status_code == 200
    assert (await refresh(client, refresh_token)).status_code == 200


async def test_every_refresh_rotates(client: httpx.AsyncClient, ann: Account) -> None:
    newest, sessions, accesses = ann.refresh_token, set(), {ann.access_token}
    tokens = {newest}
    for _ in range(5):
        answer = await refresh(client, newest)
        assert answer.headers["cache-control"] == "no-store"
        access, newest = pair(answer)
        assert (await whoami(client, access)).status_code == 200
        tokens.add(newest)
        accesses.add(access)
        sessions.add(segment(access, 1)["sid"])
    assert len(tokens) == len(accesses) == 6
    assert sessions == {segment(ann.access_token, 1)["sid"]}


async def test_the_direct_parent_gets_the_same_successor_within_its_grace(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    _, successor = pair(await refresh(client, ann.refresh_token))
    clock.advance(GRACE)
    access, again = pair(await refresh(client, ann.refresh_token))
    assert again == successor
    await assert_alive(client, access, successor)


async def test_after_the_grace_the_whole_session_dies_and_no_other(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, clock: FrozenClock
) -> None:
    other_device = await accounts.sign_in("ann")
    bob = await accounts.sign_in("bob")
    access, successor = pair(await refresh(client, ann.refresh_token))
    clock.advance(GRACE + MOMENT)
    assert code(await refresh(client, ann.refresh_token)) == INVALID_GRANT
    await assert_dead(client, access, successor)
    assert code(await whoami(client, ann.access_token)) == INVALID_TOKEN
    await assert_alive(client, other_device.access_token, other_device.refresh_token)
    await assert_alive(client, bob.access_token, bob.refresh_token)


async def test_a_spent_token_ends_the_session_whatever_scope_is_asked_for(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    access, successor = pair(await refresh(client, ann.refresh_token))
    clock.advance(GRACE + MOMENT)
    assert code(await refresh(client, ann.refresh_token, scope="users:manage")) == INVALID_GRANT
    await assert_dead(client, access, successor)


async def test_a_refused_scope_spends_no_token(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    refused = await refresh(client, ann.refresh_token, scope="users:manage")
    assert code(refused) == (400, "invalid_scope")
    clock.advance(GRACE + MOMENT)
    _, successor = pair(await refresh(client, ann.refresh_token))
    refused = await refresh(client, ann.refresh_token, scope="users:manage")
    assert code(refused) == (400, "invalid_scope")
    await assert_alive(client, ann.access_token, successor)


async def test_a_third_tab_with_the_first_token_gets_the_newest_within_its_grace(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    spent, access, newest = [], ann.access_token, ann.refresh_token
    for _ in range(4):
        spent.append(newest)
        access, newest = pair(await refresh(client, newest))
        assert (await whoami(client, access)).status_code == 200
        clock.advance(2 * MOMENT)
    for token in spent:
        access, same = pair(await refresh(client, token))
        assert same == newest
    clock.advance(2 * MOMENT)  # ten seconds after the first was spent
    assert pair(await refresh(client, spent[0]))[1] == newest
    clock.advance(MOMENT)
    assert pair(await refresh(client, spent[1]))[1] == newest
    await assert_alive(client, access, newest)


async def test_the_grace_of_an_ancestor_ends_with_its_own_use_not_the_last(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    _, child = pair(await refresh(client, ann.refresh_token))
    clock.advance(GRACE - MOMENT)
    access, grandchild = pair(await refresh(client, child))
    clock.advance(2 * MOMENT)
    assert code(await refresh(client, ann.refresh_token)) == INVALID_GRANT
    await assert_dead(client, access, grandchild)
    assert code(await refresh(client, child)) == INVALID_GRANT


async def test_more_refreshes_than_tabs_make_are_no_grace(
    client: httpx.AsyncClient, ann: Account
) -> None:
    newest = ann.refresh_token
    for _ in range(MAX_EARLIER_REFRESHES + 2):
        _, newest = pair(await refresh(client, newest))
    assert code(await refresh(client, ann.refresh_token)) == INVALID_GRANT
    assert code(await refresh(client, newest)) == INVALID_GRANT


async def test_the_grace_does_not_begin_anew(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    _, successor = pair(await refresh(client, ann.refresh_token))
    for _ in range(2):
        clock.advance(GRACE / 2)
        pair(await refresh(client, ann.refresh_token))
    clock.advance(MOMENT)
    assert code(await refresh(client, ann.refresh_token)) == INVALID_GRANT
    assert code(await refresh(client, successor)) == INVALID_GRANT


async def test_reuse_is_remembered_though_the_answer_is_an_error(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, clock: FrozenClock
) -> None:
    await refresh(client, ann.refresh_token)
    clock.advance(GRACE + MOMENT)
    await refresh(client, ann.refresh_token)
    assert await rows(app, "SELECT end_reason FROM sessions") == ["refresh_token_reused"]


async def test_twenty_refreshes_at_once_leave_one_living_chain(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    answers = await asyncio.gather(*(refresh(client, ann.refresh_token) for _ in range(20)))
    pairs = [pair(answer) for answer in answers]
    assert len({successor for _, successor in pairs}) == 1
    clock.advance(GRACE + MOMENT)
    for access, _ in pairs:
        assert (await whoami(client, access)).status_code == 200
    _, newest = pair(await refresh(client, pairs[0][1]))
    assert newest not in {ann.refresh_token, pairs[0][1]}


async def test_twenty_uses_of_an_old_token_at_once_are_all_refused(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    access, successor = pair(await refresh(client, ann.refresh_token))
    clock.advance(GRACE + MOMENT)
    answers = await asyncio.gather(*(refresh(client, ann.refresh_token) for _ in range(20)))
    assert {code(answer) for answer in answers} == {INVALID_GRANT}
    await assert_dead(client, access, successor)


async def test_thief_and_owner_racing_cannot_both_keep_a_chain(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    _, owners = pair(await refresh(client, ann.refresh_token))
    clock.advance(GRACE + MOMENT)
    stolen, own = await asyncio.gather(
        refresh(client, ann.refresh_token), refresh(client, owners), return_exceptions=False
    )
    assert code(stolen) == INVALID_GRANT
    if own.status_code == 200:
        await assert_dead(client, *pair(own))
    else:
        assert code(own) == INVALID_GRANT


async def test_refresh_and_logout_at_once_end_the_session(
    client: httpx.AsyncClient, ann: Account
) -> None:
    refreshes = (refresh(client, ann.refresh_token) for _ in range(5))
    out = client.post(LOGOUT, headers=ann.headers)
    *answers, signed_out = await asyncio.gather(*refreshes, out)
    assert signed_out.status_code == 204
    for answer in answers:
        if answer.status_code == 200:
            await assert_dead(client, *pair(answer))
        else:
            assert code(answer) == INVALID_GRANT
    assert code(await refresh(client, ann.refresh_token)) == INVALID_GRANT


async def test_an_idle_session_ends_after_fourteen_days(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    newest = ann.refresh_token
    for _ in range(3):
        clock.advance(timedelta(days=14) - MOMENT)
        _, newest = pair(await refresh(client, newest))
    clock.advance(timedelta(days=14))
    assert code(await refresh(client, newest)) == INVALID_GRANT


async def test_no_session_lives_longer_than_sixty_days(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    access, newest = ann.access_token, ann.refresh_token
    for _ in range(59):
        clock.advance(timedelta(days=1))
        access, newest = pair(await refresh(client, newest))
    clock.advance(timedelta(days=1) - MOMENT)
    access, newest = pair(await refresh(client, newest))
    assert (await whoami(client, access)).status_code == 200
    clock.advance(MOMENT)
    await assert_dead(client, access, newest)  # the access token too, though it is a second old


async def test_the_grace_does_not_outlast_the_session(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    newest = ann.refresh_token
    for _ in range(4):
        clock.advance(timedelta(days=13))
        _, newest = pair(await refresh(client, newest))
    clock.advance(timedelta(days=8) - MOMENT)
    parent, (_, newest) = newest, pair(await refresh(client, newest))
    clock.advance(MOMENT * 2)
    assert code(await refresh(client, parent)) == INVALID_GRANT
    assert code(await refresh(client, newest)) == INVALID_GRANT
