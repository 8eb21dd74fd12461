"""Changing one's address: it switches when the new one confirms, and only by its owner's hand."""

import asyncio
from collections import Counter
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, update

from src.config import Settings
from src.users.models import User
from tests.account.support import (
    ALREADY_CONFIRMED,
    EMAIL_PATH,
    INVALID_TOKEN,
    NEW_PASSWORD,
    WRONG_PASSWORD,
    change_email,
    change_password,
)
from tests.auth.registration.test_mailed_links import words
from tests.auth.support import CONFIRM, change, code, confirm, register, rows, seen, sign_in, whoami
from tests.personal_tokens.support import bearer, made
from tests.support import (
    PASSWORD,
    Account,
    Accounts,
    FrozenClock,
    Inbox,
    all_jobs_done,
    all_wait,
    locked_account,
)

OLD, NEW = "ann@x.test", "new@x.test"
PROOF_REQUIRED = (400, "confirmation_proof_required")


async def change_link(client: httpx.AsyncClient, inbox: Inbox, account: Account) -> str:
    """The token of the link to the new address."""
    answer = await change_email(client, account, NEW)
    assert answer.status_code == 202, answer.text
    return await inbox.token(NEW)


async def confirm_as(
    client: httpx.AsyncClient, token: str, account: Account, **fields: str
) -> httpx.Response:
    """Follow a link with an access token as the proof."""
    return await client.post(CONFIRM, json={"token": token} | fields, headers=account.headers)


async def address(client: httpx.AsyncClient, account: Account) -> str:
    """The account's address now."""
    return str((await whoami(client, account.access_token)).json()["email"])


@pytest.mark.parametrize("proof", ["password", "session"])
async def test_it_switches_when_the_new_address_confirms(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox, proof: str
) -> None:
    ann = await accounts.sign_in("ann")
    answer = await change_email(client, ann, " New@X.test ")
    assert (answer.status_code, answer.json()) == (202, {"status": "confirmation_sent"})
    token = await inbox.token(NEW)
    [notice] = await inbox.mails(OLD, 1)
    assert notice.subject == "A change of your e-mail address was requested"
    assert NEW not in words(notice)
    [mail] = await inbox.mails(NEW, 1)
    assert mail.links == [f"http://plaza.test/confirm-email?token={token}"]
    assert "Ann" not in words(mail)
    before = (await whoami(client, ann.access_token)).json()
    assert before["email"] == OLD
    if proof == "password":
        answer = await confirm(client, token, password=PASSWORD)
    else:
        answer = await confirm_as(client, token, ann)
    assert (answer.status_code, answer.content) == (204, b"")
    after = (await whoami(client, ann.access_token)).json()
    assert after["email"] == NEW
    assert after["email_verified"] is True
    assert after["version"] == before["version"] + 1
    assert (await sign_in(client, NEW)).status_code == 200
    assert code(await sign_in(client, OLD)) == (400, "invalid_grant")
    for to in (OLD, NEW):
        [changed, *_] = await inbox.mails(to, 2)
        assert changed.subject == "Your e-mail address has changed"
    actions = "SELECT action FROM audit_log WHERE action LIKE 'email.%' ORDER BY id"
    assert await rows(app, actions) == ["email.change_requested", "email.changed"]
    audited = "".join(await rows(app, "SELECT l::text FROM audit_log AS l"))
    assert "x.test" not in audited


async def test_the_owner_of_a_mistyped_address_gains_nothing(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    """They have the link, but neither the password nor a session of the account."""
    ann, stranger = await accounts.sign_in("ann"), await accounts.sign_in("stranger")
    token = await change_link(client, inbox, ann)
    for answer in (
        await client.post(CONFIRM, json={"token": token}),
        await confirm(client, token, password="not the password"),
        await confirm(client, token, registration_secret="anything"),
        await confirm_as(client, token, stranger),
        await confirm_as(client, token, stranger, password="not the password"),
    ):
        assert code(answer) == PROOF_REQUIRED
    forged = {"Authorization": f"Bearer {ann.access_token}x"}
    answer = await client.post(CONFIRM, json={"token": token}, headers=forged)
    assert code(answer) == (401, "invalid_access_token")
    # Acts for her, but is not she.
    program = bearer(await made(client, ann, scopes=["profile:read", "profile:write"]))
    answer = await client.post(CONFIRM, json={"token": token}, headers=program)
    assert code(answer) == PROOF_REQUIRED
    assert await address(client, ann) == OLD
    assert (await confirm_as(client, token, stranger, password=PASSWORD)).status_code == 204


async def test_a_token_that_may_not_change_the_account_does_not_switch_its_address(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    narrow = await accounts.sign_in("ann", scope="profile:read posts:read posts:write")
    assert code(await confirm_as(client, token, narrow)) == PROOF_REQUIRED
    assert await address(client, ann) == OLD
    assert (await confirm_as(client, token, ann)).status_code == 204


async def test_guessing_the_password_at_the_link_counts_like_signing_in(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    for _ in range(5):
        answer = await confirm(client, token, password="not the password")
        assert code(answer) == PROOF_REQUIRED
    too_many = (429, "too_many_failures")
    assert code(await confirm(client, token, password=PASSWORD)) == too_many
    assert code(await sign_in(client, OLD)) == too_many
    assert (await confirm_as(client, token, ann)).status_code == 204


async def test_the_password_is_needed(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    assert code(await change_email(client, ann, NEW, "not the password")) == WRONG_PASSWORD
    assert await rows(app, "SELECT id FROM email_links") == []
    assert await rows(app, "SELECT id FROM pgqueuer") == []


async def test_the_address_one_has_is_no_new_one(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    answer = await change_email(client, ann, " ANN@x.test")
    assert code(answer) == (422, "validation_error")
    [error] = answer.json()["errors"]
    assert error["loc"] == ["body", "new_email"]
    assert await rows(app, "SELECT id FROM pgqueuer") == []


async def test_a_taken_address_looks_the_same(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    """To the byte, and in what the request does: the rest is a job."""
    ann = await accounts.sign_in("ann")
    await accounts.add("known")
    await accounts.add("pending", confirmed=False)
    await accounts.add("off", active=False)
    await change_email(client, ann, "first@x.test")  # which has no older link to end
    statements: list[str] = []

    @event.listens_for(app.state.database.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    answers, done = set(), set()
    for name in ("known", "nobody", "pending", "off"):
        statements.clear()
        answers.add(repr(seen(await change_email(client, ann, f"{name}@x.test"))))
        done.add(tuple(statements))
    assert len(answers) == len(done) == 1


async def test_the_owner_of_a_taken_address_is_told(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    known = await accounts.sign_in("known")
    await client.patch("/api/v1/users/me", headers=known.headers, json={"locale": "ru"})
    await change_email(client, ann, "known@x.test")
    [mail] = await inbox.mails("known@x.test", 1)
    assert mail.subject == "Этот адрес уже принадлежит вашей учётной записи"
    assert "Known" in mail.text
    assert "token=" not in mail.text
    assert "ann" not in words(mail).lower().replace("plaza", "")
    await all_jobs_done(app)
    assert len(inbox.mailbox.messages("known@x.test")) == 1


async def test_an_address_taken_meanwhile(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    await accounts.add("new")
    assert code(await confirm_as(client, token, ann)) == INVALID_TOKEN
    assert await address(client, ann) == OLD
    assert (await sign_in(client, NEW)).status_code == 200


async def test_an_account_that_never_confirmed_the_address_gives_way(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    """Whoever opened it has not shown that the address is theirs."""
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    secret = await register(client, NEW, password="the attacker's password")
    registered = await inbox.token(NEW, 2)
    assert (await confirm(client, token, password=PASSWORD)).status_code == 204
    assert await address(client, ann) == NEW
    answer = await confirm(client, registered, registration_secret=secret)
    assert code(answer) == INVALID_TOKEN
    assert code(await sign_in(client, NEW, "the attacker's password")) == (400, "invalid_grant")
    assert await rows(app, "SELECT username FROM users") == ["ann"]


async def test_twenty_confirmations_at_once_are_one(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    answers = await asyncio.gather(
        *(confirm_as(client, token, ann) for _ in range(10)),
        *(confirm(client, token, password=PASSWORD) for _ in range(10)),
    )
    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 19}
    assert {code(answer) for answer in answers if answer.status_code == 400} == {ALREADY_CONFIRMED}
    assert await address(client, ann) == NEW
    assert len(await rows(app, "SELECT id FROM audit_log WHERE action = 'email.changed'")) == 1


async def test_two_accounts_at_once_to_one_address(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    users = [await accounts.sign_in(name) for name in ("ann", "bob")]
    tokens = []
    for number, user in enumerate(users, 1):
        assert (await change_email(client, user, NEW)).status_code == 202
        tokens.append(await inbox.token(NEW, number))
    # Both hold their own rows, and then want the address.
    async with locked_account(app, "ann"), locked_account(app, "bob"):
        begun = [
            asyncio.create_task(confirm_as(client, token, user))
            for token, user in zip(tokens, users, strict=True)
        ]
        await all_wait(app, 2)
    answers = await asyncio.gather(*begun)
    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 1}
    [loser] = [answer for answer in answers if answer.status_code == 400]
    assert code(loser) == INVALID_TOKEN
    addresses = {await address(client, user) for user in users}
    assert NEW in addresses
    assert len(addresses) == 2


async def test_a_registration_of_the_address_at_the_same_time(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    """Whoever is first, the address is one account's, and nothing is a 500."""
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    answers = await asyncio.gather(
        *(
            client.post("/api/v1/auth/register", json={"email": NEW, "password": PASSWORD})
            for _ in range(5)
        ),
        confirm_as(client, token, ann),
    )
    assert {answer.status_code for answer in answers[:5]} == {202}
    assert answers[5].status_code == 204
    assert await rows(app, "SELECT username FROM users") == ["ann"]


async def test_a_newer_change_makes_the_older_link_dead(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    old = await change_link(client, inbox, ann)
    await change_email(client, ann, "newer@x.test")
    newer = await inbox.token("newer@x.test")
    assert code(await confirm_as(client, old, ann)) == INVALID_TOKEN
    assert (await confirm_as(client, newer, ann)).status_code == 204
    assert await address(client, ann) == "newer@x.test"
    assert code(await confirm_as(client, newer, ann)) == ALREADY_CONFIRMED


async def test_a_link_expires(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox, clock: FrozenClock
) -> None:
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    clock.advance(timedelta(hours=24))
    assert code(await confirm(client, token, password=PASSWORD)) == INVALID_TOKEN


async def test_a_disabled_account_does_not_switch(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    await change(app, update(User).values(is_active=False))
    assert code(await confirm(client, token, password=PASSWORD)) == PROOF_REQUIRED
    assert code(await confirm_as(client, token, ann)) == (401, "invalid_access_token")


async def test_a_confirmation_and_a_change_of_the_password_at_once(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    """The old password proves nothing any more once the new one is set."""
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    async with locked_account(app, "ann"):
        changing = asyncio.create_task(change_password(client, ann))
        await all_wait(app, 1)
        confirming = asyncio.create_task(confirm(client, token, password=PASSWORD))
        await all_wait(app, 2)
    assert (await changing).status_code == 204
    assert (await confirming).status_code == 400
    assert await address(client, ann) == OLD


async def test_links_of_changes_and_of_registrations_are_not_exchanged(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    await change_link(client, inbox, ann)
    secret = await register(client, "other@x.test")
    links = app.state.auth.links
    [change_id] = await rows(app, "SELECT id FROM email_links WHERE purpose = 'change'")
    [confirm_id] = await rows(app, "SELECT id FROM email_links WHERE purpose = 'confirm'")
    # Tokens that are never issued: of one purpose for the link of another.
    crossed = await confirm_as(client, links.issue("confirm", change_id), ann, password=PASSWORD)
    assert code(crossed) == INVALID_TOKEN
    crossed = await confirm(
        client,
        links.issue("change", confirm_id),
        registration_secret=secret,
        password=PASSWORD,
    )
    assert code(crossed) == INVALID_TOKEN
    assert await address(client, ann) == OLD
    assert code(await sign_in(client, "other@x.test")) == (400, "email_not_confirmed")
    assert len(await rows(app, "SELECT id FROM email_links")) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reading_the_link_any_number_of_times_changes_nothing(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox, method: str
) -> None:
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    [mail] = await inbox.mails(NEW, 1)
    answers = await asyncio.gather(
        *(client.request(method, mail.links[0], headers=ann.headers) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert await address(client, ann) == OLD
    assert (await confirm(client, token, password=PASSWORD)).status_code == 204


async def test_asking_too_often(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    """A user is counted, and an address, whoever asks for it and whether it is taken."""
    ann, bob = await accounts.sign_in("ann"), await accounts.sign_in("bob")
    await accounts.add("known")
    too_many = (429, "too_many_requests")
    for _ in range(5):
        assert (await change_email(client, ann, "known@x.test")).status_code == 202
    clock.advance(timedelta(minutes=5))
    answer = await change_email(client, ann, "elsewhere@x.test")
    assert code(answer) == too_many
    assert int(answer.headers["retry-after"]) in {55 * 60, 55 * 60 + 1}
    assert code(await change_email(client, bob, "known@x.test")) == too_many
    assert (await change_email(client, bob, "elsewhere@x.test")).status_code == 202
    assert len(await rows(app, "SELECT id FROM email_links")) == 2
    clock.advance(timedelta(minutes=55))
    ann = await accounts.sign_in("ann")
    assert (await change_email(client, ann, "known@x.test")).status_code == 202


async def test_a_new_password_stops_it(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    token = await change_link(client, inbox, ann)
    assert (await change_password(client, ann)).status_code == 204
    assert code(await confirm(client, token, password=NEW_PASSWORD)) == INVALID_TOKEN


class TestWithoutConfirmation:
    """REQUIRE_CONFIRMED_EMAIL=false: accounts are used before their address is confirmed."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"require_confirmed_email": False})

    async def test_others_who_registered_the_old_address_cannot_claim_the_account(
        self, client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
    ) -> None:
        await register(client, OLD, username="ann")
        others_secret = await register(client, OLD, password="another's own password")
        others_token = await inbox.token(OLD, 2)
        ann = await accounts.sign_in("ann")
        token = await change_link(client, inbox, ann)
        assert (await confirm_as(client, token, ann)).status_code == 204
        answer = await confirm(client, others_token, registration_secret=others_secret)
        assert answer.status_code == 204  # of an account of their own
        other = (await sign_in(client, OLD, "another's own password")).json()
        me = await whoami(client, other["access_token"])
        assert (me.json()["email"], me.json()["id"] == ann.id) == (OLD, False)
        assert await address(client, ann) == NEW
        assert (await sign_in(client, NEW)).status_code == 200

    async def test_an_unproven_address_gets_no_notices(
        self, client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
    ) -> None:
        """It may be a stranger's, and our mail would carry an advertisement to them."""
        await register(client, OLD, username="ann", display_name="Visit https://evil.test")
        await inbox.token(OLD)
        await change_email(client, await accounts.sign_in("ann"), NEW)
        await inbox.token(NEW)
        await all_jobs_done(app)
        assert len(await inbox.mails(OLD, 1)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"new_email": NEW},
        {"current_password": PASSWORD},
        {"new_email": "Ann <new@x.test>", "current_password": PASSWORD},
        {"new_email": "new@x.test\r\nBcc: eve@x.test", "current_password": PASSWORD},
        {"new_email": NEW, "current_password": PASSWORD, "email_verified_at": "2026-01-01"},
        {"new_email": "a" * 400, "current_password": PASSWORD},
        {"new_email": None, "current_password": PASSWORD},
    ],
)
async def test_what_is_not_such_a_request(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, body: dict[str, object]
) -> None:
    ann = await accounts.sign_in("ann")
    answer = await client.post(EMAIL_PATH, json=body, headers=ann.headers)
    assert code(answer) == (422, "validation_error")
    assert await rows(app, "SELECT id FROM email_links") == []
