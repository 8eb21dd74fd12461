"""Ending a user's sessions, forcing a new password, removing a lost second factor."""

import time
from datetime import timedelta
from statistics import median

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, update

from src.auth.models import EmailLink, RecoveryCode, TotpFactor
from src.config import Settings
from src.ids import uuid7
from src.personal_tokens.models import PersonalToken
from src.users.models import User
from tests.administration.support import USERS, actions, entries, read
from tests.auth.support import change as execute
from tests.auth.support import refresh, rows, whoami
from tests.support import PASSWORD, START, Account, Accounts, Inbox, problem_of

NEW_PASSWORD = "another good password"


async def intervene(
    client: httpx.AsyncClient, admin: Account, user_id: str, what: str
) -> httpx.Response:
    """End sessions, or force a reset."""
    return await client.post(f"{USERS}/{user_id}/{what}", headers=admin.headers)


async def force_reset(client: httpx.AsyncClient, admin: Account, user_id: str) -> None:
    """Make a password useless."""
    answer = await intervene(client, admin, user_id, "password/force-reset")
    assert (answer.status_code, answer.content) == (204, b"")


async def test_sessions_end_and_the_user_is_told(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, ann: Account, inbox: Inbox
) -> None:
    again = await accounts.sign_in("ann")
    answer = await intervene(client, admin, ann.id, "sessions/end")
    assert (answer.status_code, answer.content) == (204, b"")
    for session in (ann, again):
        problem_of(await whoami(client, session.access_token), 401, "invalid_access_token")
        problem_of(await refresh(client, session.refresh_token), 400, "invalid_grant")
    assert (await whoami(client, admin.access_token)).status_code == 200
    [entry] = await entries(client, admin, action="sessions.ended_by_administrator")
    assert (entry["actor_id"], entry["user_id"]) == (admin.id, ann.id)
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "You are signed out"
    assert (await accounts.token("ann")).status_code == 200


async def test_no_sessions_to_end_are_no_news(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account
) -> None:
    bob = str((await accounts.add("bob")).id)
    assert (await intervene(client, admin, bob, "sessions/end")).status_code == 204
    assert await actions(client, admin, user_id=bob) == []


async def test_a_forced_reset_ends_whatever_the_password_opened(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    admin: Account,
    ann: Account,
    inbox: Inbox,
) -> None:
    later = START + timedelta(days=1)
    token = {"user_id": ann.id, "name": "x", "scope": "profile:read", "created_at": START}
    token |= {"id": uuid7(), "secret_hash": b"x", "expires_at": later}
    await execute(app, insert(PersonalToken).values(token))
    link = {"user_id": ann.id, "locale": "en", "created_at": START, "expires_at": later}
    for purpose in ("reset", "change"):
        await execute(app, insert(EmailLink).values(link | {"id": uuid7(), "purpose": purpose}))
    await force_reset(client, admin, ann.id)
    problem_of(await accounts.token("ann"), 400, "invalid_grant")
    problem_of(await whoami(client, ann.access_token), 401, "invalid_access_token")
    problem_of(await refresh(client, ann.refresh_token), 400, "invalid_grant")
    assert await rows(app, "SELECT id FROM personal_tokens") == []
    [entry] = await entries(client, admin, user_id=ann.id, action="password.reset_forced")
    assert entry["actor_id"] == admin.id
    subjects = {mail.subject for mail in await inbox.mails("ann@x.test", 2)}
    assert "Set a new password" in subjects
    assert await rows(app, "SELECT purpose FROM email_links") == ["reset"]


async def test_after_a_forced_reset_the_mailed_link_sets_a_new_password(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, ann: Account, inbox: Inbox
) -> None:
    await force_reset(client, admin, ann.id)
    mails = await inbox.mails("ann@x.test", 2)
    [text] = [mail.text for mail in mails if "token=" in mail.text]
    token = text.partition("token=")[2].split()[0]
    reset = {"token": token, "new_password": NEW_PASSWORD}
    answer = await client.post("/api/v1/auth/password/reset", json=reset)
    assert answer.status_code == 204, answer.text
    assert (await accounts.token("ann", password=NEW_PASSWORD)).status_code == 200
    problem_of(await accounts.token("ann", password=PASSWORD), 400, "invalid_grant")


async def test_a_disabled_user_gets_no_link_that_would_not_work(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, admin: Account, inbox: Inbox
) -> None:
    bob = str((await accounts.add("bob", active=False)).id)
    await force_reset(client, admin, bob)
    [mail] = await inbox.mails("bob@x.test", 1)
    assert mail.subject == "Set a new password"
    assert await rows(app, "SELECT purpose FROM email_links") == []


class TestTiming:
    """With hashes that cost something."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"bcrypt_rounds": 8, "failures_per_account": 1000})

    async def test_a_useless_password_takes_as_long_as_any_other(
        self, client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, admin: Account
    ) -> None:
        bob, carl = await accounts.add("bob"), await accounts.add("carl")
        await force_reset(client, admin, str(bob.id))
        hasher = app.state.auth.hasher
        useless = await rows(app, "SELECT password_hash FROM users WHERE username = 'bob'")
        seconds: dict[str, list[float]] = {useless[0]: [], carl.password_hash: []}
        for _ in range(15):
            for stored, measured in seconds.items():
                started = time.perf_counter()
                assert await hasher.verify("a wrong password", stored) == (False, None)
                measured.append(time.perf_counter() - started)
        useless_seconds, other_seconds = map(median, seconds.values())
        assert useless_seconds > other_seconds / 2


@pytest.fixture
async def with_mfa(app: FastAPI, ann: Account) -> None:
    """Ann has an authenticator app and a recovery code."""
    await execute(app, update(User).where(User.username == "ann").values(mfa_enabled=True))
    factor = {"user_id": ann.id, "encrypted_secret": b"x", "last_step": 0, "created_at": START}
    await execute(app, insert(TotpFactor).values(factor))
    await execute(app, insert(RecoveryCode).values(user_id=ann.id, code_hash=b"x"))


async def test_a_lost_second_factor_is_removed_and_the_user_is_told(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    admin: Account,
    ann: Account,
    with_mfa: None,
    inbox: Inbox,
) -> None:
    problem_of(await accounts.token("ann"), 400, "mfa_required")
    url = f"{USERS}/{ann.id}/mfa"
    for _ in range(2):  # the second time there is nothing left to do
        answer = await client.delete(url, headers=admin.headers)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await read(client, admin, ann.id)).json()["mfa_enabled"] is False
    assert (await accounts.token("ann")).status_code == 200
    assert await rows(app, "SELECT user_id FROM totp_factors") == []
    assert await rows(app, "SELECT user_id FROM recovery_codes") == []
    [entry] = await entries(client, admin, action="mfa.disabled")
    assert (entry["actor_id"], entry["user_id"]) == (admin.id, ann.id)
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "Two-factor authentication is off"
