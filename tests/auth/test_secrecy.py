"""No password, secret or live token is in a log, a job, a table or a failure's answer."""

import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from src.logs import JsonFormatter
from tests.account.support import EMAIL_PATH, FORGOT, PASSWORD_PATH, RESET
from tests.auth.support import (
    CONFIRM,
    FORM,
    JSON,
    ME,
    REGISTER,
    RESEND,
    TOKEN,
    confirm,
    pair,
    refresh,
    register,
    rows,
    sign_in,
    whoami,
)
from tests.support import Account, Accounts, FrozenClock, Inbox, all_jobs_done

GOOD = "Kestrel-over-Marsh"
WRONG = "Bittern-in-the-Reeds"
SHORT = "Teal7!x"
LONG = "Avocet" * 60
NEXT = "Dunlin-on-the-Strand"
LAST = "Curlew-at-the-Weir"
NUL = "Lapwing\x00Redshank"
TABLES = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that any library logs."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy.engine")  # which is quieter unless asked
    return caplog


async def everything_stored(app: FastAPI) -> str:
    """Every row of every table as text; bytes both as hexadecimal digits and as they read."""
    found = []
    for table in await rows(app, TABLES):
        found += await rows(app, f"SELECT t::text FROM {table} AS t")  # noqa: S608 - our own names
    text = "\n".join(found)
    assert "@x.test" in text
    return text


def everything_logged(log: pytest.LogCaptureFixture) -> str:
    """Every record of ours as production formats it, and its arguments."""
    formatter = JsonFormatter()
    text = "\n".join(
        f"{formatter.format(record)} {record.args!r}"
        for record in log.records
        if not record.name.startswith("httpx")  # the test's own client
    )
    assert "INSERT INTO sessions" in text  # the statements' log is on
    return text


def hidden(secret: str) -> list[str]:
    """The forms in which a secret could be somewhere."""
    return [secret, secret.encode().hex(), repr(secret)[1:-1]]


async def test_no_secret_is_in_the_log_or_in_the_database(
    client: httpx.AsyncClient,
    app: FastAPI,
    inbox: Inbox,
    clock: FrozenClock,
    log: pytest.LogCaptureFixture,
) -> None:
    secret = await register(client, "ann@x.test", password=GOOD)
    token = await inbox.token("ann@x.test")
    stored = await everything_stored(app)  # while the link is good
    await confirm(client, token, password=WRONG)
    await confirm(client, token, registration_secret=secret, password=GOOD)
    access, first = pair(await sign_in(client, "ann@x.test", GOOD))
    await sign_in(client, "ann@x.test", WRONG)
    await sign_in(client, WRONG, GOOD)
    _, second = pair(await refresh(client, first))
    await whoami(client, access)
    await client.get(ME, params={"access_token": access})
    clock.advance(timedelta(seconds=11))
    await refresh(client, first)
    await register(client, "ann@x.test", password=WRONG)
    await client.post(RESEND, json={"email": "ann@x.test"})
    await inbox.mails("ann@x.test", 2)
    links = await change_password_and_address(client, app, inbox)
    stored += await everything_stored(app)
    logged = everything_logged(log)
    for value in (GOOD, WRONG, NEXT, LAST, secret, token, access, first, second, *links):
        for form in hidden(value):
            assert form not in stored
            assert form not in logged


async def change_password_and_address(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
) -> list[str]:
    """The tokens of the links by which both happen."""
    access, _ = pair(await sign_in(client, "ann@x.test", GOOD))
    ann = {"Authorization": f"Bearer {access}"}
    for current in (WRONG, GOOD):
        body = {"current_password": current, "new_password": NEXT}
        await client.post(PASSWORD_PATH, json=body, headers=ann)
    before = len(inbox.mailbox.messages("ann@x.test"))
    await client.post(FORGOT, json={"email": "ann@x.test"})
    await all_jobs_done(app)
    assert len(inbox.mailbox.messages("ann@x.test")) > before
    reset_token = re.search(r"token=([\w-]+)", mail_about(inbox, "Set a new password"))
    assert reset_token
    body = {"token": reset_token[1], "new_password": LAST}
    assert (await client.post(RESET, json=body)).status_code == 204
    access, _ = pair(await sign_in(client, "ann@x.test", LAST))
    ann = {"Authorization": f"Bearer {access}"}
    body = {"new_email": "new@x.test", "current_password": LAST}
    assert (await client.post(EMAIL_PATH, json=body, headers=ann)).status_code == 202
    change_token = await inbox.token("new@x.test")
    assert (await confirm(client, change_token, password=LAST)).status_code == 204
    return [reset_token[1], change_token]


def mail_about(inbox: Inbox, subject: str) -> str:
    """The text of Ann's newest mail with a subject."""
    mails = inbox.mailbox.messages("ann@x.test")
    return next(mail.text for mail in mails if mail.subject == subject)


async def test_a_job_holds_ids_alone(client: httpx.AsyncClient, app: FastAPI) -> None:
    await register(client, "ann@x.test", password=GOOD)
    [payload] = await rows(app, "SELECT payload FROM pgqueuer")
    [link_id] = await rows(app, "SELECT id FROM email_links")
    assert payload == b'{"link_id":"%s"}' % str(link_id).encode()


async def test_no_failure_repeats_what_was_sent(
    client: httpx.AsyncClient, accounts: Accounts, log: pytest.LogCaptureFixture
) -> None:
    ann = await accounts.sign_in("ann")
    sent = [GOOD, WRONG, SHORT, LONG, NUL]
    answers = [answer for password in sent async for answer in failures(client, ann, password)]
    assert {answer.status_code for answer in answers} == {400, 401, 422}
    told = "\n".join(answer.text + repr(answer.headers) for answer in answers)
    told += everything_logged(log)
    for value in (*sent, ann.access_token, ann.refresh_token):
        for form in hidden(value):
            assert form not in told


async def failures(
    client: httpx.AsyncClient, ann: Account, password: str
) -> AsyncIterator[httpx.Response]:
    """The answers to every kind of failure that a password, or what is taken for one, can cause."""
    field = f'"password": "{password}"'
    for body in (
        f"{{{field}}}",
        f'{{"email": "ann", {field}}}',
        f'{{"email": "ann@x.test", {field}, "is_superuser": true}}',
        f'{{"email": "ann@x.test", {field}',
        f'["{password}"]',
        f'"{password}"',
        f'{{"email": "{password}", {field}}}',
        f'{{"username": "{password}!", {field}, "email": "ann@x.test"}}',
        f'{{"token": "{password}", {field}}}',
        f'{{"token": 7, {field}, "registration_secret": ["{password}"]}}',
    ):
        for path in (REGISTER, CONFIRM, RESEND, TOKEN, FORGOT, RESET):
            yield await client.post(path, content=body, headers=JSON)
        yield await client.patch(ME, content=body, headers=JSON | ann.headers)
        for path in (PASSWORD_PATH, EMAIL_PATH):
            yield await client.post(path, content=body, headers=JSON | ann.headers)
    for passwords in (
        {"current_password": password, "new_password": f"{password}{password}"},
        {"current_password": password, "new_password": password},
        {"current_password": password, "new_email": password},
        {"token": password, "new_password": password},
    ):
        for path in (PASSWORD_PATH, EMAIL_PATH, RESET):
            yield await client.post(path, json=passwords, headers=ann.headers)
    for form in (
        {"username": "ann", "password": password},
        {"username": password, "password": password},
        {"grant_type": password, "password": password},
        {"username": "ann", "password": password, "scope": password},
        {"username": "ann", "password": password, "client_secret": password},
        {"grant_type": "refresh_token", "refresh_token": password},
    ):
        yield await client.post(TOKEN, data=form)
    twice = f"username=ann&password={password}&password={password}"
    yield await client.post(TOKEN, content=twice, headers=FORM)
    yield await whoami(client, password)
