"""Mail that is refused: what the job, the log and the account say."""

import logging

import httpx
import pytest
from pydantic import SecretStr

from src.config import Settings
from src.jobs import worker as jobs
from src.main import TASKS
from tests.jobs.support import Desk
from tests.jobs.test_smtp import smtp_server
from tests.support import Accounts, free_port, query, until

FORGOT = "/api/v1/auth/password/forgot"


@pytest.fixture
def port() -> int:
    """Where the SMTP server will be."""
    return free_port()


@pytest.fixture
def settings(settings: Settings, port: int) -> Settings:
    """Settings that deliver by SMTP."""
    url = SecretStr(f"smtp://127.0.0.1:{port}")
    return settings.model_copy(update={"smtp_url": url})


@pytest.fixture(autouse=True)
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, from warnings on."""
    caplog.set_level(logging.WARNING)
    return caplog


async def test_an_address_that_takes_no_mail_is_noted_until_it_takes_one(
    client: httpx.AsyncClient,
    accounts: Accounts,
    desk: Desk,
    port: int,
    told: pytest.LogCaptureFixture,
) -> None:
    ann = await accounts.sign_in("ann")
    await accounts.add("root", roles=("admin",))
    root = await accounts.sign_in("root")
    before = await client.get("/api/v1/users/me", headers=ann.headers)
    assert before.json()["email_undeliverable_at"] is None

    async def noted() -> list[object]:
        me = await client.get("/api/v1/users/me", headers=ann.headers)
        managed = await client.get(f"/api/v1/users/{ann.id}", headers=root.headers)
        return [document.json()["email_undeliverable_at"] for document in (me, managed)]

    async with desk.working(*TASKS), smtp_server(port, refuse="550 no such user") as server:
        await client.post(FORGOT, json={"email": "ann@x.test"})
        await until(lambda: bool(told.records))
        await until(desk.is_empty)  # nothing is tried again
        assert await noted() == ["2026-03-01T12:00:00Z"] * 2
        after = await client.get(
            "/api/v1/users/me", headers=ann.headers | {"If-None-Match": before.headers["etag"]}
        )
        assert after.status_code == 200
        [line] = [record.getMessage() for record in told.records]
        assert line == ("a mail, reset_password, is not tried again: SMTPRecipientRefused 550")
        server.refuse_recipients_with = None
        await client.post(FORGOT, json={"email": "ann@x.test"})
        await until(lambda: bool(server.deliveries))
        await until(desk.is_empty)
        assert await noted() == [None, None]


async def test_confirming_another_address_ends_the_note(
    client: httpx.AsyncClient, accounts: Accounts, desk: Desk, port: int
) -> None:
    ann = await accounts.sign_in("ann")
    await query(desk.url, "UPDATE users SET email_undeliverable_at = now()")
    change = {"new_email": "ann@new.test", "current_password": "correct horse battery"}
    async with desk.working(*TASKS), smtp_server(port) as server:
        answer = await client.post("/api/v1/users/me/email", json=change, headers=ann.headers)
        assert answer.status_code == 202

        def link() -> str:
            for delivery in server.deliveries:
                body = delivery.message.get_body(("plain",))
                if body and delivery.recipients == ["ann@new.test"]:
                    return str(body.get_content()).partition("token=")[2].split()[0]
            return ""

        await until(lambda: bool(link()))
        await query(desk.url, "UPDATE users SET email_undeliverable_at = now()")
        answer = await client.post(
            "/api/v1/auth/email/confirm", json={"token": link()}, headers=ann.headers
        )
        assert answer.status_code == 204, answer.text
    me = await client.get("/api/v1/users/me", headers=ann.headers)
    assert me.json()["email"] == "ann@new.test"
    assert me.json()["email_undeliverable_at"] is None


async def test_the_log_tells_the_first_failure_and_the_last_and_no_address(
    client: httpx.AsyncClient,
    accounts: Accounts,
    desk: Desk,
    port: int,
    told: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(jobs, "FIRST_DELAY", jobs.FIRST_DELAY / 100)
    await accounts.add("ann")
    answer = "454 4.7.1 <ann@x.test>: Relay access denied"
    async with desk.working(*TASKS), smtp_server(port, refuse=answer):
        await client.post(FORGOT, json={"email": "ann@x.test"})

        async def held() -> bool:
            return [job["state"] for job in await desk.jobs()] == ["failed"]

        await until(held)
    [job] = await desk.jobs()
    name = f"job {job['id']} auth.mail_link"
    reason = "MailNotSentError: SMTPRecipientRefused 454"
    assert [(record.levelname, record.getMessage()) for record in told.records] == [
        ("WARNING", f"{name} will be tried again: {reason}"),
        ("WARNING", f"{name} is held: {reason}"),
    ]
    assert "ann@" not in told.text
    kept = await query(desk.url, "SELECT traceback::text FROM pgqueuer_log")
    assert "ann@" not in "".join(row["traceback"] or "" for row in kept)
    failed = "SELECT traceback ->> 'exception_message' AS reason FROM pgqueuer_log"
    [row] = await query(desk.url, f"{failed} WHERE status = 'failed'")
    assert row["reason"] == reason


async def test_a_retry_keeps_its_message_id(
    client: httpx.AsyncClient, accounts: Accounts, desk: Desk, port: int
) -> None:
    """A server that took the mail and could not say so knows it again."""
    await accounts.add("ann")
    async with desk.working(*TASKS), smtp_server(port) as server:
        server.forget_to_answer = True
        await client.post(FORGOT, json={"email": "ann@x.test"})
        await until(lambda: len(server.deliveries) == 1)
        server.forget_to_answer = False
        await until(lambda: len(server.deliveries) == 2)
        await until(desk.is_empty)
    first, second = (delivery.message for delivery in server.deliveries)
    assert first["Message-ID"] == second["Message-ID"]
    for message in (first, second):
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Date"]


@pytest.mark.parametrize("smtputf8", [True, False])
async def test_an_address_that_needs_smtputf8_is_refused_where_it_is_off(
    client: httpx.AsyncClient, accounts: Accounts, settings: Settings, *, smtputf8: bool
) -> None:
    settings.smtputf8 = smtputf8
    ann = await accounts.sign_in("ann")
    registration = {"email": "анна@x.test", "password": "correct horse battery"}
    change = {"new_email": "анна@x.test", "current_password": "correct horse battery"}
    for path, body, field in (
        ("/api/v1/auth/register", registration, "email"),
        ("/api/v1/users/me/email", change, "new_email"),
    ):
        answer = await client.post(path, json=body, headers=ann.headers)
        assert answer.status_code == (202 if smtputf8 else 422)
        if not smtputf8:
            [error] = answer.json()["errors"]
            assert (error["loc"], error["type"]) == (["body", field], "email_not_ascii")
    international_domain = registration | {"email": "anna@почта.рф"}
    answer = await client.post("/api/v1/auth/register", json=international_domain)
    assert answer.status_code == 202


async def test_a_server_without_smtputf8_ends_the_job(
    client: httpx.AsyncClient, desk: Desk, port: int, told: pytest.LogCaptureFixture
) -> None:
    registration = {"email": "анна@x.test", "password": "correct horse battery"}
    async with desk.working(*TASKS), smtp_server(port) as server:
        await client.post("/api/v1/auth/register", json=registration)
        await until(desk.is_empty)
    assert server.deliveries == []
    assert "SMTPUTF8" in told.text
    assert "анна" not in told.text
    [user] = await query(desk.url, "SELECT email_undeliverable_at FROM users")
    assert user["email_undeliverable_at"]
