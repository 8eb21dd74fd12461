"""Signing keys that rotate while servers run: what lives, what dies, and when."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from src.access.encryption import SecretBox
from src.auth.tokens.jwt import CLOCK_SKEW, Claims, Key, sign
from src.auth.tokens.signing_keys import (
    PUBLISHED_BEFORE,
    PURPOSE,
    RELOAD_AFTER,
    RELOAD_MARGIN,
    UNKNOWN_KID_AFTER,
)
from src.config import Settings
from src.database import Database
from src.main import create_app
from src.settings.secrets import new_private_key
from tests.auth.oauth.support import JWKS, published, rotate
from tests.auth.support import code, pair, refresh, rows, segment, sign_in, whoami
from tests.support import Account, Accounts, FrozenClock, all_wait, talking_to

A_MOMENT = timedelta(milliseconds=1)
A_DAY = 86_400


@pytest.fixture
async def another_process(settings: Settings, clock: FrozenClock) -> AsyncIterator[FastAPI]:
    """A second server on the same database."""
    app = create_app(settings, clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def neighbour(another_process: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the second server."""
    async with talking_to(another_process) as client:
        yield client


@pytest.fixture
def reads_of_keys(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that the server asks the database for its keys with."""
    seen: list[str] = []
    fetch = app.state.database.reads.fetch

    async def fetch_noted(sql: str, *arguments: Any, **options: Any) -> Any:
        if "signing_keys" in sql:
            seen.append(sql)
        return await fetch(sql, *arguments, **options)

    monkeypatch.setattr(app.state.database.reads, "fetch", fetch_noted)
    return seen


def kid_of(token: str) -> str:
    """Which key signed a token."""
    return str(segment(token, 0)["kid"])


def first_key(settings: Settings) -> Key:
    """The key of JWT_PRIVATE_KEY."""
    return Key.private(settings.jwt_private_key.get_secret_value())


def long_lived(token: str, key: Key) -> str:
    """The same token for a day, signed with a key."""
    claims = segment(token, 1)
    return sign(Claims.model_validate(claims | {"exp": claims["exp"] + A_DAY}), key)


async def signed_in(client: httpx.AsyncClient) -> str:
    """A new access token."""
    return pair(await sign_in(client, "ann"))[0]


async def test_the_key_of_the_setting_signs_until_there_is_another(
    client: httpx.AsyncClient, ann: Account, settings: Settings
) -> None:
    assert kid_of(ann.access_token) == first_key(settings).kid
    assert await published(client) == [first_key(settings).kid]


async def test_after_a_rotation_the_new_key_signs_without_a_restart(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    kid = await rotate(app)
    clock.advance(PUBLISHED_BEFORE)
    access, refresh_token = pair(await refresh(client, ann.refresh_token))
    assert kid_of(access) == kid_of(await signed_in(client)) == kid
    assert (await whoami(client, access)).status_code == 200
    newer = await rotate(app)
    clock.advance(PUBLISHED_BEFORE)
    assert kid_of(pair(await refresh(client, refresh_token))[0]) == newer


async def test_a_new_key_is_published_for_longer_than_any_cache_keeps_the_old_ones(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    """So that no process and no verifier meets a token whose key it cannot know."""
    old = kid_of(ann.access_token)
    cached = await client.get(JWKS)
    kept = int(cached.headers["cache-control"].rpartition("=")[2])
    kid = await rotate(app)
    clock.advance(RELOAD_AFTER)
    assert await published(client) == [kid, old]
    clock.advance(timedelta(seconds=kept))
    assert kid_of(await signed_in(client)) == old
    clock.advance(PUBLISHED_BEFORE - RELOAD_AFTER - timedelta(seconds=kept) - A_MOMENT)
    assert kid_of(await signed_in(client)) == old
    clock.advance(A_MOMENT)
    assert kid_of(await signed_in(client)) == kid


async def test_in_an_emergency_it_signs_when_every_process_has_read_it(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    old = kid_of(ann.access_token)
    clock.advance(RELOAD_AFTER)  # so the server looks at once
    kid = await rotate(app, at_once=True)
    assert await published(client) == [kid, old]
    assert kid_of(await signed_in(client)) == old
    clock.advance(RELOAD_AFTER)
    assert kid_of(await signed_in(client)) == kid
    assert (await whoami(client, ann.access_token)).status_code == 200


async def test_of_two_rotations_in_a_row_each_key_signs_in_its_turn(
    app: FastAPI,
    client: httpx.AsyncClient,
    neighbour: httpx.AsyncClient,
    ann: Account,
    clock: FrozenClock,
    settings: Settings,
) -> None:
    """And every token holds until it expires, in every process."""
    first, minute = kid_of(ann.access_token), timedelta(minutes=1)
    second = await rotate(app)
    clock.advance(minute)
    third = await rotate(app)
    last = {}
    for wait, kid in (
        (PUBLISHED_BEFORE - minute - A_MOMENT, first),
        (minute, second),
        (minute, third),
    ):
        clock.advance(wait)
        for server in (client, neighbour):
            last[kid] = await signed_in(server)
            assert kid_of(last[kid]) == kid
    clock.advance(settings.access_token_lifetime - 2 * minute - timedelta(seconds=1))
    for token in last.values():
        for server in (client, neighbour):
            assert (await whoami(server, token)).status_code == 200


@pytest.mark.parametrize("used_before", [True, False])
async def test_tokens_of_the_old_key_live_until_they_expire(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, clock: FrozenClock, *, used_before: bool
) -> None:
    await rotate(app)
    clock.advance(PUBLISHED_BEFORE - A_MOMENT)
    last = await signed_in(client)
    assert kid_of(last) == kid_of(ann.access_token)
    if used_before:
        assert (await whoami(client, last)).status_code == 200
    clock.advance(timedelta(minutes=10) - timedelta(seconds=1))
    assert (await whoami(client, last)).status_code == 200
    clock.advance(timedelta(seconds=1))
    assert code(await whoami(client, last)) == (401, "invalid_access_token")


@pytest.mark.parametrize("used_before", [True, False])
async def test_a_token_of_a_retired_key_is_refused(
    app: FastAPI,
    client: httpx.AsyncClient,
    ann: Account,
    clock: FrozenClock,
    settings: Settings,
    *,
    used_before: bool,
) -> None:
    """Whoever has the old key can make such tokens as long as they like."""
    forged = long_lived(ann.access_token, first_key(settings))
    await rotate(app)
    lifetime = settings.access_token_lifetime + CLOCK_SKEW + RELOAD_MARGIN
    clock.advance(PUBLISHED_BEFORE + lifetime - A_MOMENT)
    if used_before:
        assert (await whoami(client, forged)).status_code == 200
    clock.advance(A_MOMENT)
    assert code(await whoami(client, forged)) == (401, "invalid_access_token")
    assert first_key(settings).kid not in await published(client)


@pytest.mark.parametrize("used_before", [True, False])
async def test_a_leaked_key_is_refused_within_five_seconds(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, clock: FrozenClock, *, used_before: bool
) -> None:
    if used_before:
        assert (await whoami(client, ann.access_token)).status_code == 200
    kid = await rotate(app, revoke_old=True)
    clock.advance(RELOAD_AFTER)
    assert code(await whoami(client, ann.access_token)) == (401, "invalid_access_token")
    assert await published(client) == [kid]
    access, _ = pair(await refresh(client, ann.refresh_token))  # nobody has to sign in again
    assert kid_of(access) == kid
    assert (await whoami(client, access)).status_code == 200


async def test_revoking_also_ends_keys_that_were_about_to_end(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    await rotate(app)
    kid = await rotate(app, revoke_old=True)
    clock.advance(RELOAD_AFTER)
    assert await published(client) == [kid]
    assert code(await whoami(client, ann.access_token)) == (401, "invalid_access_token")


async def test_the_key_of_the_setting_stays_dead_after_a_restart(
    app: FastAPI, ann: Account, another_process: FastAPI, neighbour: httpx.AsyncClient
) -> None:
    kid = await rotate(app, revoke_old=True)
    assert code(await whoami(neighbour, ann.access_token)) == (401, "invalid_access_token")
    assert kid_of(await signed_in(neighbour)) == kid


async def test_another_process_takes_a_token_whose_key_it_has_not_read_yet(
    app: FastAPI,
    client: httpx.AsyncClient,
    neighbour: httpx.AsyncClient,
    ann: Account,
    clock: FrozenClock,
) -> None:
    assert (await whoami(client, ann.access_token)).status_code == 200
    clock.advance(UNKNOWN_KID_AFTER)
    kid = await rotate(app, revoke_old=True)
    token = await signed_in(neighbour)
    assert kid_of(token) == kid
    answers = await asyncio.gather(*(whoami(client, token) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_later_rotation_does_not_prolong_a_key(app: FastAPI, clock: FrozenClock) -> None:
    await rotate(app)
    ends = await rows(app, "SELECT retired_at FROM signing_keys WHERE retired_at IS NOT NULL")
    clock.advance(timedelta(minutes=1))
    await rotate(app)
    sql = "SELECT retired_at FROM signing_keys WHERE retired_at IS NOT NULL ORDER BY 1"
    assert await rows(app, sql) == [*ends, ends[0] + timedelta(minutes=1)]


async def test_of_rotations_at_once_one_key_remains(app: FastAPI) -> None:
    kids = await asyncio.gather(*(rotate(app, revoke_old=number == 2) for number in range(5)))
    assert len(set(kids)) == 5
    [left] = await rows(app, "SELECT kid FROM signing_keys WHERE retired_at IS NULL")
    assert left in kids
    assert len(await rows(app, "SELECT kid FROM signing_keys")) == 6


async def test_requests_ask_nothing_and_hostile_kids_once_a_second(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, reads_of_keys: list[str]
) -> None:
    strangers = [long_lived(ann.access_token, Key.private(new_private_key())) for _ in range(10)]
    for _ in range(5):
        assert (await whoami(client, ann.access_token)).status_code == 200
    clock.advance(UNKNOWN_KID_AFTER - A_MOMENT)
    assert {code(await whoami(client, one)) for one in strangers} == {(401, "invalid_access_token")}
    assert reads_of_keys == []
    clock.advance(A_MOMENT)
    answers = await asyncio.gather(*(whoami(client, one) for one in strangers * 3))
    assert {code(answer) for answer in answers} == {(401, "invalid_access_token")}
    assert len(reads_of_keys) == 1
    clock.advance(RELOAD_AFTER)
    await asyncio.gather(*(whoami(client, ann.access_token) for _ in range(10)))
    assert len(reads_of_keys) == 2


async def test_who_gives_up_waiting_for_the_keys_does_not_stop_the_others(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    assert (await whoami(client, ann.access_token)).status_code == 200
    clock.advance(RELOAD_AFTER)
    async with app.state.database.independent_transaction() as session:
        await session.execute(text("LOCK TABLE signing_keys IN ACCESS EXCLUSIVE MODE"))
        impatient = asyncio.create_task(whoami(client, ann.access_token))
        patient = [asyncio.create_task(whoami(client, ann.access_token)) for _ in range(5)]
        await all_wait(app, 1)
        impatient.cancel()
        with suppress(asyncio.CancelledError):
            await impatient
        assert not any(task.done() for task in patient)
    assert {(await task).status_code for task in patient} == {200}


@pytest.fixture
def other_settings(settings: Settings) -> Settings:
    """The same installation under another SECRET_KEY."""
    return settings.model_copy(update={"secret_key": SecretStr("another secret key " * 3)})


async def private_half(database: Database, settings: Settings, kid: str) -> Key:
    """The key of a row, opened with the SECRET_KEY it was sealed with."""
    async with database.sessions() as session:
        sealed = await session.scalar(
            text("SELECT encrypted_private_key FROM signing_keys WHERE kid = :kid"), {"kid": kid}
        )
    box = SecretBox(settings.secret_key.get_secret_value(), PURPOSE)
    return Key.private(box.open(sealed, kid.encode()).decode())


async def test_a_key_under_another_secret_key_verifies_and_does_not_sign(
    app: FastAPI,
    client: httpx.AsyncClient,
    ann: Account,
    clock: FrozenClock,
    other_settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kid = await rotate(app, settings=other_settings)
    foreign = await private_half(app.state.database, other_settings, kid)
    token = long_lived(ann.access_token, foreign)
    for _ in range(3):
        clock.advance(RELOAD_AFTER)
        assert kid_of(await signed_in(client)) == kid_of(ann.access_token)
        assert (await whoami(client, token)).status_code == 200
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert kid in warning.getMessage()
    assert "SECRET_KEY" in warning.getMessage()

    clock.advance(timedelta(hours=1))  # the first key has ended
    refused = await sign_in(client, "ann")
    assert code(refused) == (503, "no_signing_key")
    assert int(refused.headers["retry-after"]) > 0
    good = await rotate(app)  # there is no other, so it need not wait
    clock.advance(RELOAD_AFTER)
    assert kid_of(await signed_in(client)) == good


async def test_a_key_of_a_kind_that_is_not_known_harms_nobody(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    async with app.state.database.independent_transaction() as session:
        await session.execute(
            text("INSERT INTO signing_keys (kid, public_key, created_at) VALUES ('x', 'y', now())")
        )
    clock.advance(RELOAD_AFTER)
    assert (await whoami(client, ann.access_token)).status_code == 200
    assert await published(client) == [kid_of(ann.access_token)]


async def test_no_private_half_is_stored_in_clear(app: FastAPI, settings: Settings) -> None:
    kid = await rotate(app)
    assert (await private_half(app.state.database, settings, kid)).kid == kid
    stored = "".join(await rows(app, "SELECT signing_keys::text FROM signing_keys"))
    assert "PRIVATE" not in stored
    assert b"PRIVATE".hex() not in stored
    assert await rows(app, "SELECT encrypted_private_key IS NULL FROM signing_keys ORDER BY 1") == [
        False,
        True,
    ]


@pytest.mark.parametrize("revoke_old", [True, False])
async def test_a_rotation_is_in_the_audit_log(app: FastAPI, *, revoke_old: bool) -> None:
    kid = await rotate(app, revoke_old=revoke_old)
    [entry] = await rows(
        app, "SELECT to_jsonb(audit_log) FROM audit_log WHERE action = 'signing_key.rotated'"
    )
    assert entry["device"] == "command line"
    assert entry["details"] == {"kid": kid, "old_revoked": revoke_old}


async def test_tokens_are_for_the_audience_of_the_settings(
    settings: Settings, clock: FrozenClock
) -> None:
    settings.token_audience = "https://api.plaza.test"
    app = create_app(settings, clock)
    async with (
        app.router.lifespan_context(app),
        talking_to(app) as client,
    ):
        ann = await Accounts(app, client).sign_in("ann")
        claims = segment(ann.access_token, 1)
        assert claims["iss"] == "http://plaza.test"
        assert claims["aud"] == "https://api.plaza.test"
        assert (await whoami(client, ann.access_token)).status_code == 200
        for_another = Claims.model_validate(claims | {"aud": claims["iss"]})
        token = sign(for_another, first_key(settings))
        assert code(await whoami(client, token)) == (401, "invalid_access_token")
