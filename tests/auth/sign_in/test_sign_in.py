"""Signing in: who gets a session, and what the others can tell apart."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Delete, Update, delete, update

from src.config import Settings
from src.users.models import User
from tests.auth.support import change, code, pair, refresh, seen, segment, sign_in, whoami
from tests.support import PASSWORD, START, Account, Accounts, FrozenClock

WRONG = "wrong horse battery"
REFUSED = [
    ("wrong password", "ann", WRONG),
    ("wrong password, by address", "ann@x.test", WRONG),
    ("a blank more", "ann", PASSWORD + " "),
    ("another case", "ann", PASSWORD.upper()),
    ("unknown name", "nobody", PASSWORD),
    ("unknown address", "nobody@x.test", PASSWORD),
    ("not an address", "no@body@x.test", PASSWORD),
    ("hardly a login", "@", PASSWORD),
    ("no login at all", "\u2603' OR 1=1 --", PASSWORD),
    ("disabled user", "dis", PASSWORD),
    ("disabled user, by address", "dis@x.test", PASSWORD),
    ("disabled user, wrong password", "dis", WRONG),
    ("unconfirmed user, wrong password", "new", WRONG),
    ("unconfirmed and disabled user", "off", PASSWORD),
]


async def test_any_writing_of_the_login_will_do(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.add("ann")
    for login in (
        "ann",
        "ANN",
        " ann ",
        "ann@x.test",
        "Ann@X.Test",
        " ann@x.test ",
        "ann@\uff38.test",
    ):
        access, _ = pair(await sign_in(client, login))
        assert (await whoami(client, access)).json()["id"] == str(ann.id)


async def test_every_failure_looks_the_same(client: httpx.AsyncClient, accounts: Accounts) -> None:
    await accounts.add("ann")
    await accounts.add("dis", active=False)
    await accounts.add("new", confirmed=False)
    await accounts.add("off", confirmed=False, active=False)
    reference = await sign_in(client, "nobody-at-all", WRONG)
    assert code(reference) == (400, "invalid_grant")
    assert reference.json()["error"] == "invalid_grant"
    different = {
        why: answer.text
        for why, login, password in REFUSED
        if seen(answer := await sign_in(client, login, password)) != seen(reference)
    }
    assert different == {}


async def test_not_confirmed_is_said_after_a_right_password(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("new", confirmed=False)
    answer = await sign_in(client, "new@x.test")
    assert code(answer) == (400, "email_not_confirmed")
    assert answer.json()["error"] == "invalid_grant"
    assert answer.headers["cache-control"] == "no-store"


async def test_each_sign_in_is_a_session_of_its_own(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    claims = [segment(pair(await sign_in(client, "ann"))[0], 1) for _ in range(3)]
    assert len({claim["sid"] for claim in claims}) == 3
    assert len({claim["jti"] for claim in claims}) == 3
    assert len({claim["sub"] for claim in claims}) == 1


async def test_the_access_token_is_a_jwt_after_rfc_9068(
    client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock
) -> None:
    ann = await accounts.sign_in("ann", scope="posts:write profile:read")
    header = segment(ann.access_token, 0)
    assert {name: header[name] for name in ("typ", "alg")} == {"typ": "at+jwt", "alg": "ES256"}
    assert header["kid"]
    claims = segment(ann.access_token, 1)
    issued_at = int(START.timestamp())
    assert claims.pop("jti")
    assert claims.pop("sid")
    assert claims == {
        "iss": "http://plaza.test",
        "aud": "http://plaza.test",
        "sub": ann.id,
        "client_id": "plaza",
        "scope": "posts:write profile:read",
        "iat": issued_at,
        "exp": issued_at + 600,
        "auth_time": issued_at,
    }
    clock.advance(timedelta(minutes=5))
    refreshed = segment(pair(await refresh(client, ann.refresh_token))[0], 1)
    assert datetime.fromtimestamp(refreshed["auth_time"], UTC) == START
    assert refreshed["iat"] == issued_at + 300


@pytest.mark.parametrize(
    "gone", [update(User).values(is_active=False), delete(User)], ids=["disabled", "deleted"]
)
async def test_a_disabled_or_deleted_user_is_out_at_the_next_request(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, gone: Update | Delete
) -> None:
    ann = await accounts.sign_in("ann")
    bob = await accounts.sign_in("bob")
    await change(app, gone.where(User.username == "ann"))
    assert code(await whoami(client, ann.access_token)) == (401, "invalid_access_token")
    assert code(await refresh(client, ann.refresh_token)) == (400, "invalid_grant")
    assert (await whoami(client, bob.access_token)).status_code == 200


class TestWithoutConfirmation:
    """REQUIRE_CONFIRMED_EMAIL=false."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"require_confirmed_email": False})

    async def test_an_unconfirmed_user_signs_in(
        self, client: httpx.AsyncClient, accounts: Accounts
    ) -> None:
        await accounts.add("new", confirmed=False)
        access, _ = pair(await sign_in(client, "new"))
        assert (await whoami(client, access)).json()["email_verified"] is False


class TestTime:
    """How long an answer takes must not tell who exists."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"bcrypt_rounds": 8})

    async def test_unknown_disabled_and_known_users_cost_the_same(
        self, client: httpx.AsyncClient, accounts: Accounts
    ) -> None:
        await accounts.add("ann")
        await accounts.add("dis", active=False)
        logins = ("ann", "dis", "nobody", "nobody@x.test", "no@body@x.test")
        spent: dict[str, list[float]] = {login: [] for login in logins}
        for _ in range(7):
            for login in logins:
                started = time.process_time()  # of all threads, whatever else this machine does
                await sign_in(client, login, WRONG)
                spent[login].append(time.process_time() - started)
        least = [min(times) for times in spent.values()]  # what else the process does comes on top
        assert max(least) < 1.25 * min(least)


async def test_a_failed_sign_in_leaves_the_sessions_alone(
    client: httpx.AsyncClient, ann: Account
) -> None:
    for _ in range(3):
        await sign_in(client, "ann", WRONG)
    assert (await whoami(client, ann.access_token)).status_code == 200
    assert (await refresh(client, ann.refresh_token)).status_code == 200
