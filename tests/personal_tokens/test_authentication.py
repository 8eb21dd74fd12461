"""Calling with a personal access token."""

import asyncio
import base64
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Executable, delete, text, update

from src.personal_tokens.models import PersonalToken
from src.personal_tokens.tokens import PREFIX, new_token, row_id_of
from src.users.models import User
from tests.auth.support import ME, change, code, rows, whoami
from tests.personal_tokens.support import bearer, made
from tests.posts.support import POSTS
from tests.support import PATIENCE_SECONDS, Account, Accounts, FrozenClock

# Of any statement, even if it changes no row; the function keeps the audit log as it is.
REFUSE_UPDATES = """
CREATE TRIGGER refuse BEFORE UPDATE ON personal_tokens EXECUTE FUNCTION refuse_change()
"""
COUNT_UPDATES = (
    "CREATE TABLE updates (number int)",
    """
    CREATE FUNCTION count_update() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN INSERT INTO updates VALUES (1); RETURN NULL; END'
    """,
    """
    CREATE TRIGGER count AFTER UPDATE ON personal_tokens
    FOR EACH ROW EXECUTE FUNCTION count_update()
    """,
)
MUTATED = examples(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HOSTILE = [
    b"",
    b"A",
    b"A" * 63,
    b"A" * 64,
    b"A" * 65,
    b"A" * 64 + b"=",
    b"_" * 64,
    b"+/" * 32,
    b"A" * 63 + b"\n",
    b"A" * 1_000_000,
    b"\x00" * 64,
    "é".encode() * 32,
    "\U0001f600".encode() * 16,
    b"\xed\xa0\x80" * 16,
    b"\xff" * 64,
    b"' OR 1=1 --",
    b"e30.e30.e30",
]


async def test_it_is_the_owner_within_its_scopes(client: httpx.AsyncClient, ann: Account) -> None:
    token = await made(client, ann, scopes=["profile:read", "posts:write"])
    with_session = await client.get(ME, headers=ann.headers)
    with_token = await client.get(ME, headers=bearer(token))
    assert with_token.json() == with_session.json()
    assert with_token.headers["etag"] == with_session.headers["etag"]
    renamed = await client.patch(ME, json={"bio": "x"}, headers=bearer(token))
    assert code(renamed) == (403, "insufficient_scope")
    post = {"title": "A post", "body": "Its text"}
    written = await client.post(POSTS, json=post, headers=bearer(token))
    assert written.status_code == 201
    assert written.json()["author"]["username"] == "ann"
    drafts = await client.get(f"{POSTS}?status=draft", headers=bearer(token))
    assert code(drafts) == (403, "insufficient_scope")


async def test_a_role_that_is_taken_takes_its_scopes(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    await accounts.add("root", roles=("admin",))
    root = await accounts.sign_in("root")
    token = await made(client, root, scopes=["profile:read", "users:manage"])
    authenticate = app.state.authenticators[0][1].authenticate
    assert (await authenticate(token["token"])).scopes == {"profile:read", "users:manage"}
    await change(app, update(User).values(roles=[]))
    assert (await authenticate(token["token"])).scopes == {"profile:read"}


@pytest.mark.parametrize(
    "ending",
    [
        update(User).where(User.username == "ann").values(is_active=False),
        delete(User).where(User.username == "ann"),
        delete(PersonalToken),
    ],
    ids=["disabled", "deleted", "token deleted"],
)
async def test_it_ends_with_its_owner(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, ending: Executable
) -> None:
    token = await made(client, ann)
    assert (await whoami(client, token["token"])).status_code == 200
    await change(app, ending)
    assert code(await whoami(client, token["token"])) == (401, "invalid_access_token")


async def test_it_ends_by_time(client: httpx.AsyncClient, ann: Account, clock: FrozenClock) -> None:
    token = await made(client, ann, expires_in_days=1)
    clock.advance(timedelta(days=1, microseconds=-1))
    assert (await whoami(client, token["token"])).status_code == 200
    clock.advance(timedelta(microseconds=1))
    assert code(await whoami(client, token["token"])) == (401, "invalid_access_token")


async def test_it_outlives_the_session_that_made_it(
    client: httpx.AsyncClient, ann: Account
) -> None:
    token = await made(client, ann)
    await client.post("/api/v1/auth/logout", headers=ann.headers)
    assert (await whoami(client, token["token"])).status_code == 200


async def test_no_secret_fits_but_its_own(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    own, others = await made(client, ann), await made(client, bob)
    row_id = row_id_of(own["token"])
    assert row_id
    for wrong in (
        new_token(row_id),
        own["token"][:40] + others["token"][40:],
        own["token"][:-1] + ("A" if own["token"][-1] != "A" else "B"),
        own["token"].upper(),
        own["token"] + own["token"],
        own["token"].removeprefix(PREFIX),
    ):
        assert code(await whoami(client, wrong)) == (401, "invalid_access_token"), wrong


async def test_spare_ways_to_write_it_are_refused(client: httpx.AsyncClient, ann: Account) -> None:
    """base64 decoders take several texts for the same bytes."""
    while True:
        token = await made(client, ann)
        encoded = token["token"].removeprefix(PREFIX)
        if {"-", "_"} & set(encoded):
            break
    other = PREFIX + encoded.replace("-", "+").replace("_", "/")
    assert base64.b64decode(other.removeprefix(PREFIX)) == base64.urlsafe_b64decode(encoded)
    assert code(await whoami(client, other)) == (401, "invalid_access_token")


async def test_no_hostile_text_is_more_than_wrong(client: httpx.AsyncClient) -> None:
    for rest in HOSTILE:
        for token in (PREFIX.encode() + rest, PREFIX.upper().encode() + rest):
            assert code(await whoami(client, token)) == (401, "invalid_access_token"), token[:80]


@pytest.fixture
async def token(client: httpx.AsyncClient, ann: Account) -> bytes:
    """A token to mutate."""
    return bytes((await made(client, ann))["token"], "ascii")


@MUTATED
@example(0, 0, b"\t")
@example(0, 0, b" ")
@given(st.integers(0, 80), st.integers(0, 80), st.binary(max_size=20))
async def test_no_mutated_token_is_more_than_wrong(
    client: httpx.AsyncClient, token: bytes, start: int, length: int, replacement: bytes
) -> None:
    mutated = token[:start] + replacement + token[start + length :]
    answer = await whoami(client, mutated)
    if mutated.strip(b" ") == token:
        assert answer.status_code == 200
    else:
        assert code(answer) == (401, "invalid_access_token")


async def test_its_use_is_noted_once_a_minute(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, clock: FrozenClock
) -> None:
    token = await made(client, ann)
    for statement in COUNT_UPDATES:
        await change(app, text(statement))
    for updates, wait in enumerate((60, 60, 90), 1):
        answers = await asyncio.gather(*(whoami(client, token["token"]) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200}
        assert await rows(app, "SELECT count(*) FROM updates") == [updates]
        assert await rows(app, "SELECT last_used_at FROM personal_tokens") == [clock.now()]
        clock.advance(timedelta(seconds=59))
        await whoami(client, token["token"])
        assert await rows(app, "SELECT count(*) FROM updates") == [updates]
        clock.advance(timedelta(seconds=wait - 59))


async def test_wrong_tokens_are_not_used(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    row_id = row_id_of((await made(client, ann))["token"])
    assert row_id
    await whoami(client, new_token(row_id))
    assert await rows(app, "SELECT last_used_at FROM personal_tokens") == [None]


async def test_noting_the_use_waits_for_nobody(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    token = await made(client, ann)
    async with app.state.database.sessions() as session, asyncio.timeout(PATIENCE_SECONDS):
        connection = await session.connection()
        await connection.exec_driver_sql("SELECT 1 FROM personal_tokens FOR UPDATE")
        assert (await whoami(client, token["token"])).status_code == 200


async def test_a_use_that_cannot_be_noted_is_no_failure(
    client: httpx.AsyncClient,
    app: FastAPI,
    ann: Account,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = await made(client, ann)
    await whoami(client, token["token"])
    await change(app, text(REFUSE_UPDATES))
    assert (await whoami(client, token["token"])).status_code == 200
    assert not caplog.text, "within the same minute nothing is written"
    clock.advance(timedelta(minutes=1))
    assert (await whoami(client, token["token"])).status_code == 200
    assert "is not noted" in caplog.text
    assert token["token"] not in caplog.text
