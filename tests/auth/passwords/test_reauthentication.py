"""The current password is asked for before something grave, and cannot be guessed there."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.users.models import User
from tests.account.support import (
    EMAIL_PATH,
    NEW_PASSWORD,
    PASSWORD_PATH,
    WRONG_PASSWORD,
    change_email,
    change_password,
)
from tests.auth.support import change, code, rows, sign_in
from tests.support import PASSWORD, Accounts, FrozenClock

TOO_MANY = (429, "too_many_failures")


async def test_wrong_passwords_of_a_session_have_to_wait(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    ann = await accounts.sign_in("ann")
    for _ in range(3):
        answer = await change_password(client, ann, current_password="not the password")
        assert code(answer) == WRONG_PASSWORD
    for _ in range(2):  # one count for whatever asks for the password
        answer = await change_email(client, ann, "new@x.test", "not the password")
        assert code(answer) == WRONG_PASSWORD
    answer = await change_password(client, ann)
    assert code(answer) == TOO_MANY
    assert int(answer.headers["retry-after"]) == 1
    with pytest.MonkeyPatch.context() as patch:  # it is refused before it is looked at
        patch.setattr(app.state.auth.hasher, "verify", None)
        assert code(await change_email(client, ann, "new@x.test")) == TOO_MANY
    other = await accounts.sign_in("ann")  # the owner, elsewhere
    assert (await change_email(client, other, "new@x.test")).status_code == 202
    clock.advance(timedelta(seconds=1))
    assert (await change_password(client, ann)).status_code == 204


async def test_failures_at_once_are_all_counted(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    """More than are free: most of them are not told whether they are right."""
    ann = await accounts.sign_in("ann")
    answers = await asyncio.gather(
        *(change_email(client, ann, "new@x.test", f"guess {number}") for number in range(20))
    )
    codes = [code(answer) for answer in answers]
    assert codes.count(WRONG_PASSWORD) == app.state.settings.failures_per_pair
    assert set(codes) == {WRONG_PASSWORD, TOO_MANY}
    assert code(await change_email(client, ann, "new@x.test")) == TOO_MANY


async def test_the_right_one_clears_the_count(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    current = PASSWORD
    for number in range(3):
        for _ in range(4):
            answer = await change_password(client, ann, current_password="not the password")
            assert code(answer) == WRONG_PASSWORD
        new = f"{NEW_PASSWORD} {number}"
        assert (await change_password(client, ann, new, current)).status_code == 204
        current = new


async def test_a_failure_is_in_the_audit_log(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    await change_email(client, ann, "new@x.test", "not the password")
    sql = "SELECT user_id::text FROM audit_log WHERE action = 'reauthentication.failed'"
    assert await rows(app, sql) == [ann.id]
    assert "not the password" not in "".join(await rows(app, "SELECT l::text FROM audit_log AS l"))


async def test_an_account_that_was_disabled_meanwhile(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann = await accounts.sign_in("ann")
    hasher = app.state.auth.hasher
    verify = hasher.verify

    async def verify_slowly(password: str, stored: str | None) -> tuple[bool, str | None]:
        result: tuple[bool, str | None] = await verify(password, stored)
        await change(app, update(User).values(is_active=False))
        return result

    monkeypatch.setattr(hasher, "verify", verify_slowly)
    assert code(await change_password(client, ann)) == WRONG_PASSWORD
    await change(app, update(User).values(is_active=True))
    monkeypatch.undo()
    assert (await sign_in(client, "ann")).status_code == 200


async def test_no_connection_is_held_while_hashing(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann = await accounts.sign_in("ann")
    hasher, pool = app.state.auth.hasher, app.state.database.engine.pool
    held = []
    for name in ("hash", "verify"):

        async def noting(*arguments: str, original: object = getattr(hasher, name)) -> object:
            held.append(pool.checkedout())
            return await original(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(hasher, name, noting)
    assert (await change_password(client, ann)).status_code == 204
    assert (await change_email(client, ann, "new@x.test", NEW_PASSWORD)).status_code == 202
    assert held == [0] * 3


@pytest.mark.parametrize("path", [PASSWORD_PATH, EMAIL_PATH])
async def test_only_somebody_signed_in(client: httpx.AsyncClient, path: str) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    answer = await client.post(path, json=body)
    assert code(answer) == (401, "not_authenticated")
