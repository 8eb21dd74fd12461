"""`python -m src create-admin`: the first administrator, and who else it makes one."""

import asyncio
import io
import os
import sys
import time

import httpx
import pytest
from fastapi import FastAPI

from src.administration.create_admin import create_admin
from src.exceptions import AppError
from tests.administration.support import USERS, entries
from tests.auth.support import rows
from tests.command_line import at_a_terminal, read_until, refusal, run, wait_for_reading
from tests.support import PASSWORD, Account, Accounts, Inbox

EMAIL = "root@x.test"
PROMPT, AGAIN = "Password: ", "Once more: "


async def create(
    environment: dict[str, str], *arguments: str, password: str = PASSWORD
) -> tuple[int, str, str]:
    """Run the command with a password on its input: its status, and what it says."""
    done = await asyncio.to_thread(
        run, environment, "create-admin", *arguments, typed=f"{password}\n"
    )
    return done.returncode, done.stdout, done.stderr


async def test_the_first_administrator_signs_in_and_manages_users(
    client: httpx.AsyncClient, accounts: Accounts, environment: dict[str, str]
) -> None:
    status, told, error = await create(environment, " Root@X.test ", "--username", "Root")
    assert (status, error) == (0, "")
    assert told == "root@x.test is an administrator, with the username root.\n"
    admin = await accounts.sign_in("root")
    answer = await client.get(f"{USERS}/{admin.id}", headers=admin.headers)
    assert answer.json()["email"] == EMAIL
    assert answer.json()["email_verified"] is True
    assert answer.json()["roles"] == ["admin"]
    [entry] = await entries(client, admin, action="account.created")
    assert (entry["user_id"], entry["actor_id"], entry["address"]) == (admin.id, None, None)
    assert entry["device"] == "command line"
    assert entry["details"] == {"roles": ["admin"]}


async def make(
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    email: str,
    username: str | None = None,
    password: str = PASSWORD,
) -> str:
    """What the command says, given a password on its input."""
    state = app.state
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
    async with state.database.independent_transaction() as session:
        return await create_admin(
            session, state.settings, state.clock, email=email, username=username
        )


async def test_a_username_is_made_of_the_address(
    app: FastAPI, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await make(app, monkeypatch, "ann.smith@x.test")
    username = told.rstrip(".").rpartition(" ")[2]
    assert username.startswith("ann-smith-")
    assert (await accounts.token(username)).status_code == 200


async def test_a_confirmed_user_gets_the_role_and_is_told_and_nothing_is_asked(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    ann: Account,
    monkeypatch: pytest.MonkeyPatch,
    inbox: Inbox,
) -> None:
    assert "has an account" in await make(app, monkeypatch, "ann@x.test")
    assert sys.stdin.readline() == f"{PASSWORD}\n"
    ann = await accounts.sign_in("ann")  # with the password that was theirs before
    [entry] = await entries(client, ann, action="roles.changed")
    assert (entry["user_id"], entry["actor_id"]) == (ann.id, None)
    assert entry["details"] == {"before": [], "after": ["admin"]}
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "Your roles have changed"
    assert "already" in await make(app, monkeypatch, "ann@x.test")
    assert len(await entries(client, ann, action="roles.changed")) == 1


@pytest.mark.parametrize(
    ("email", "username", "password", "reason"),
    [
        (EMAIL, None, "short", "at least 8 characters"),
        (EMAIL, None, "password1", "common"),
        (EMAIL, None, EMAIL, "e-mail address"),
        (EMAIL, None, "", "UTF-8"),
        (EMAIL, None, "correct horse \udcff", "UTF-8"),
        (EMAIL, None, "correct \0 horse", "UTF-8"),
        (EMAIL, "ann", PASSWORD, "taken"),
        ("dora@x.test", None, PASSWORD, "not confirmed"),
        ("carl@x.test", None, PASSWORD, "disabled"),
    ],
)
async def test_a_refusal_says_why_and_changes_nothing(
    app: FastAPI,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
    email: str,
    username: str | None,
    password: str,
    reason: str,
) -> None:
    await accounts.add("ann")
    await accounts.add("carl", active=False)
    await accounts.add("dora", confirmed=False)
    with pytest.raises((RuntimeError, AppError), match=reason):
        await make(app, monkeypatch, email, username, password)
    names = await rows(app, "SELECT username FROM users ORDER BY username")
    assert names == ["ann", "carl", "dora"]
    assert await rows(app, "SELECT roles FROM users WHERE roles <> '{}'") == []
    assert await rows(app, "SELECT action FROM audit_log") == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([EMAIL, "--username", "a b"], "'--username': a username is"),
        ([EMAIL, PASSWORD], "unexpected extra argument"),
        ([], "EMAIL"),
    ],
)
def test_wrong_arguments_get_the_usage(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    reason: str,
) -> None:
    status, told = refusal(capsys, monkeypatch, "create-admin", *arguments)
    assert status == 2
    assert reason in told


@pytest.mark.parametrize(
    ("address", "password", "told"),
    [
        (EMAIL, "short", "Use at least 8 characters. Nothing has changed.\n"),
        ("root", PASSWORD, "root is not a valid e-mail address.\n"),
        ("Root <root@x.test>", PASSWORD, "Root <root@x.test> is not a valid e-mail address.\n"),
        ("root@x.invalid", PASSWORD, "root@x.invalid is not a valid e-mail address.\n"),
    ],
)
def test_a_refusal_is_a_sentence_and_a_status(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    address: str,
    password: str,
    told: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    refused = refusal(capsys, monkeypatch, "create-admin", address, typed=f"{password}\n")
    assert refused == (1, told)


async def test_addresses_for_tests_are_none_elsewhere(environment: dict[str, str]) -> None:
    told = f"{EMAIL} is not a valid e-mail address.\n"
    assert await create(environment | {"ENVIRONMENT": "local"}, EMAIL) == (1, "", told)


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(
    environment: dict[str, str],
) -> None:
    environment["STATEMENT_TIMEOUT_SECONDS"] = "0.5"
    with at_a_terminal(environment, "create-admin", EMAIL) as (terminal, _):
        assert read_until(terminal, PROMPT).endswith(PROMPT)
        time.sleep(1.5)  # whoever types slowly is waited for
        os.write(terminal, f"{PASSWORD}\n".encode())
        shown = read_until(terminal, AGAIN)
        os.write(terminal, f"{PASSWORD}\n".encode())
        shown += read_until(terminal, "")
        assert "root@x.test is an administrator" in shown
        assert PASSWORD not in shown


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([f"{PASSWORD}\n", "something else\n"], "two different passwords"),
        (["\x03"], "Nothing has changed."),  # Ctrl+C
        ([f"{PASSWORD}\n", "\x04"], "Nothing has changed."),  # Ctrl+D
    ],
)
def test_a_slip_or_an_interrupt_at_the_terminal_ends_it(
    environment: dict[str, str], typed: list[str], told: str
) -> None:
    with at_a_terminal(environment, "create-admin", EMAIL) as (terminal, process_id):
        for prompt, line in zip((PROMPT, AGAIN), typed, strict=False):
            read_until(terminal, prompt)
            wait_for_reading(process_id)
            os.write(terminal, line.encode())
        shown = read_until(terminal, "")
        assert told in shown
        assert "Traceback" not in shown
        assert os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]) == 1
