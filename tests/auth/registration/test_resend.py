"""Asking for the mail again: older links die, unknown addresses look the same."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from src.auth import tasks
from src.mail.mailbox import Mailbox
from tests.account.support import FORGOT
from tests.auth.support import ONE_REQUEST_ID, RESEND, code, confirm, register, rows, seen, sign_in
from tests.support import PASSWORD, Accounts, FrozenClock, Inbox, all_jobs_done, job_context

ANN = "ann@x.test"


async def resend(client: httpx.AsyncClient, name: str, language: str = "en") -> httpx.Response:
    """Ask for a new link by address or username, with a request id of one's own."""
    headers = ONE_REQUEST_ID | {"Accept-Language": language}
    field = "email" if "@" in name else "username"
    return await client.post(RESEND, json={field: name}, headers=headers)


async def test_a_new_link_makes_the_older_ones_dead(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    secret = await register(client, ANN)
    tokens = [await inbox.token(ANN)]
    for number in (2, 3):
        assert (await resend(client, " Ann@X.test")).status_code == 202
        tokens.append(await inbox.token(ANN, number))
    assert len(set(tokens)) == 3
    for token in tokens[:2]:
        answer = await confirm(client, token, registration_secret=secret)
        assert code(answer) == (400, "invalid_token")
    assert (await confirm(client, tokens[2], registration_secret=secret)).status_code == 204


async def test_everybody_gets_the_same_answer_and_the_same_throttle(
    client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock
) -> None:
    await register(client, ANN)
    await accounts.add("known")
    await accounts.add("off", confirmed=False, active=False)
    emails = (ANN, "known@x.test", "off@x.test", "nobody@x.test", "known", "off", "nobody")
    answers = [{repr(seen(await resend(client, email))) for email in emails} for _ in range(5)]
    assert len(set.union(*answers)) == 1
    assert (await resend(client, "other@x.test")).json() == {"status": "confirmation_sent"}
    clock.advance(timedelta(minutes=20))
    throttled = [await resend(client, email) for email in (*emails, " KNOWN@X.TEST ", " KNOWN ")]
    assert {repr(seen(answer)) for answer in throttled} == {repr(seen(throttled[0]))}
    assert code(throttled[0]) == (429, "too_many_requests")
    assert int(throttled[0].headers["retry-after"]) in {40 * 60, 40 * 60 + 1}
    clock.advance(timedelta(minutes=40))
    assert {(await resend(client, email)).status_code for email in emails} == {202}


async def test_the_request_does_the_same_whoever_asks(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    """Or the time it takes would tell which addresses wait for a confirmation."""
    await accounts.add("known")
    await accounts.add("pending", confirmed=False)
    await accounts.add("off", confirmed=False, active=False)
    statements: list[str] = []

    @event.listens_for(app.state.database.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    seen_statements = set()
    for name in ("nobody", "known", "pending", "off"):
        for written in (name, f"{name}@x.test"):
            statements.clear()
            await resend(client, written)
            seen_statements.add(tuple(statements))
    [common] = seen_statements
    assert any("throttles" in statement for statement in common)
    assert await rows(app, "SELECT entrypoint FROM pgqueuer") == ["auth.replace_links"] * 8


async def test_a_job_says_who_and_in_which_language_alone(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann = await accounts.add("ann", confirmed=False)
    await resend(client, ANN, "ru")
    await resend(client, "nobody@x.test")
    assert await rows(app, "SELECT payload FROM pgqueuer ORDER BY id") == [
        b'{"user_id":"%s","locale":"ru"}' % str(ann.id).encode(),
        b'{"user_id":null,"locale":"en"}',
    ]


async def test_the_mail_is_in_the_language_of_whoever_asked(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann", confirmed=False)
    await resend(client, ANN, "ru-RU,en;q=0.5")
    [mail] = await inbox.mails(ANN, 1)
    assert not mail.subject.isascii()


async def test_a_job_done_twice_leaves_one_link_and_the_other_is_not_mailed(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann = await accounts.add("ann", confirmed=False)
    job = tasks.ReplaceLinks(user_id=ann.id, locale="en")
    made = []
    for _ in range(2):
        await tasks.replace_links.run(job_context(app), job)
        made += await rows(app, "SELECT id FROM email_links")
    assert len(made) == len(set(made)) == 2
    for link_id in made:
        await tasks.mail_link.run(job_context(app), tasks.MailLink(link_id=link_id))
    [mail] = Mailbox.of(app.state.settings).messages(ANN)
    assert app.state.auth.links.issue("confirm", made[1]) in mail.text


async def test_who_is_confirmed_is_told_so_and_a_disabled_or_unknown_one_nothing(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("known")
    await accounts.add("off", active=False)
    for name in ("known@x.test", "known", "off@x.test", "nobody@x.test"):
        assert (await resend(client, name)).status_code == 202
    await all_jobs_done(app)
    mails = await inbox.mails("known@x.test", 2)
    assert {mail.subject for mail in mails} == {"Your address is confirmed already"}
    assert mails[0].links == ["http://plaza.test/docs"]
    assert inbox.mailbox.messages("off@x.test") == []
    assert inbox.mailbox.messages("nobody@x.test") == []


async def test_a_new_link_by_username(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann", confirmed=False)
    assert (await resend(client, " ANN ")).json() == {"status": "confirmation_sent"}
    token = await inbox.token(ANN)
    assert (await confirm(client, token, password=PASSWORD)).status_code == 204


@pytest.mark.parametrize("confirmed", [True, False])
async def test_address_and_username_together_give_no_more_mails(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox, *, confirmed: bool
) -> None:
    """And none of the answers tells that they belong together."""
    await accounts.add("ann", confirmed=confirmed)
    for name in ("ann", ANN, "nobody") * 3:
        assert (await resend(client, name)).status_code == 202
        await all_jobs_done(app)  # a link that is replaced before it is mailed is not mailed
    assert len(inbox.mailbox.messages(ANN)) == 5


@pytest.mark.parametrize("named", [{}, {"email": ANN, "username": "ann"}, {"username": None}])
async def test_one_account_is_named(client: httpx.AsyncClient, named: dict[str, Any]) -> None:
    for path in (RESEND, FORGOT):
        assert code(await client.post(path, json=named)) == (422, "validation_error")


async def test_twenty_requests_at_once_stay_within_the_throttle_and_leave_one_link(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
) -> None:
    await register(client, ANN)
    answers = await asyncio.gather(*(resend(client, ANN) for _ in range(20)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(202) == 5
    assert statuses.count(429) == 15
    await all_jobs_done(app)
    assert len(await rows(app, "SELECT id FROM email_links")) == 1


async def test_a_confirmation_and_requests_for_another_link_at_once(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
) -> None:
    """Whoever is first, no link of a confirmed address is good."""
    secret = await register(client, ANN)
    token = await inbox.token(ANN)
    again = (resend(client, ANN) for _ in range(4))
    confirmed, *answers = await asyncio.gather(
        confirm(client, token, registration_secret=secret), *again
    )
    assert {answer.status_code for answer in answers} == {202}
    await all_jobs_done(app)
    links = await rows(app, "SELECT id FROM email_links WHERE used_at IS NULL")
    if confirmed.status_code == 204:
        assert links == []
        assert (await sign_in(client, ANN)).status_code == 200
    else:
        assert code(confirmed) == (400, "invalid_token")
        assert len(links) == 1
        newest = app.state.auth.links.issue("confirm", links[0])
        assert (await confirm(client, newest, registration_secret=secret)).status_code == 204
