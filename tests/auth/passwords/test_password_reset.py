"""A forgotten password: the link, what it ends, and that nobody learns who has an account."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, update

from src.auth.passwords import tasks
from src.auth.tokens.opaque_tokens import OpaqueTokens
from src.config import Settings
from src.ids import uuid7
from src.personal_tokens.models import PersonalToken
from src.users.models import User
from tests.account.support import (
    ALREADY_CONFIRMED,
    FORGOT,
    INVALID_TOKEN,
    NEW_PASSWORD,
    RESET,
    change_email,
    change_password,
    forgot,
    reset,
)
from tests.auth.registration.test_mailed_links import POISON, words
from tests.auth.support import (
    change,
    code,
    confirm,
    pair,
    refresh,
    register,
    rows,
    seen,
    sign_in,
    whoami,
)
from tests.support import (
    PASSWORD,
    Accounts,
    FrozenClock,
    Inbox,
    all_jobs_done,
    all_wait,
    job_context,
    locked_account,
)

ANN = "ann@x.test"
INVALID_GRANT = (400, "invalid_grant")


async def reset_link(client: httpx.AsyncClient, inbox: Inbox, count: int = 1) -> str:
    """The token of a new link for Ann, whose mail is the `count`th to her."""
    assert (await forgot(client, ANN)).status_code == 202
    return await inbox.token(ANN, count)


async def test_from_the_mail_to_a_new_password(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    sessions = [await accounts.sign_in("ann"), await accounts.sign_in("ann")]
    bob = await accounts.sign_in("bob")
    answer = await forgot(client, " Ann@X.test")
    assert (answer.status_code, answer.json()) == (202, {"status": "reset_sent"})
    token = await inbox.token(ANN)
    [mail] = await inbox.mails(ANN, 1)
    assert mail.subject == "Set a new password"
    assert mail.links == [f"http://plaza.test/reset-password?token={token}"]
    assert (await sign_in(client, ANN)).status_code == 200  # asking alone changes nothing
    answer = await reset(client, token)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "set-cookie" not in answer.headers
    for session in sessions:
        assert (await whoami(client, session.access_token)).status_code == 401
        assert code(await refresh(client, session.refresh_token)) == INVALID_GRANT
    assert (await whoami(client, bob.access_token)).status_code == 200
    assert await rows(app, "SELECT user_id FROM sessions WHERE ended_at IS NULL") == [UUID(bob.id)]
    assert code(await sign_in(client, ANN)) == INVALID_GRANT
    assert (await sign_in(client, ANN, NEW_PASSWORD)).status_code == 200
    notice, _ = await inbox.mails(ANN, 2)
    assert notice.subject == "Your password has been reset"
    assert await rows(
        app, "SELECT action FROM audit_log WHERE action LIKE 'password.%' ORDER BY id"
    ) == ["password.reset_requested", "password.reset"]


async def test_a_username_will_do_and_gives_no_more_mails_together_with_the_address(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    """Nor does an answer tell that they belong together."""
    await accounts.add("ann")
    assert (await forgot(client, " ANN ")).json() == {"status": "reset_sent"}
    assert (await reset(client, await inbox.token(ANN))).status_code == 204
    for name in ("ann", ANN, "nobody") * 3:
        assert (await forgot(client, name)).status_code == 202
        await all_jobs_done(app)  # a link that is replaced before it is mailed is not mailed
    mails = [mail for mail in inbox.mailbox.messages(ANN) if mail.subject == "Set a new password"]
    assert len(mails) == 5


async def test_an_account_that_nobody_confirmed_gets_no_more_mails_either(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann", confirmed=False)
    for _ in range(5):
        for name in ("ann", ANN):
            assert (await forgot(client, name)).status_code == 202
    await all_jobs_done(app)
    assert len(inbox.mailbox.messages(ANN)) == 5


async def test_personal_tokens_end(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    now = app.state.clock.now()
    async with app.state.database.independent_transaction() as session:
        for name in ("ann", "bob"):
            user_id = (await accounts.add(name)).id
            session.add(
                PersonalToken(
                    user_id=user_id,
                    name=name,
                    scope="profile:read",
                    secret_hash=b"",
                    created_at=now,
                    expires_at=now + timedelta(days=1),
                )
            )
    assert (await reset(client, await reset_link(client, inbox))).status_code == 204
    assert await rows(app, "SELECT name FROM personal_tokens") == ["bob"]


async def test_the_second_factor_stays(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    await change(app, update(User).values(mfa_enabled=True))
    assert (await reset(client, await reset_link(client, inbox))).status_code == 204
    assert code(await sign_in(client, ANN, NEW_PASSWORD)) == (400, "mfa_required")


async def test_twenty_tries_at_once_are_one(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    token = await reset_link(client, inbox)
    news = [f"{NEW_PASSWORD} {number}" for number in range(20)]
    answers = await asyncio.gather(*(reset(client, token, new) for new in news))
    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 19}
    assert {code(answer) for answer in answers if answer.status_code == 400} == {INVALID_TOKEN}
    [winner] = [new for new, answer in zip(news, answers, strict=True) if answer.is_success]
    assert (await sign_in(client, ANN, winner)).status_code == 200
    assert len(await rows(app, "SELECT id FROM audit_log WHERE action = 'password.reset'")) == 1


async def test_a_weak_password_leaves_the_link_good(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    token = await reset_link(client, inbox)
    for weak in ("shrtpwd", "password123", ANN, "x" * 257):
        answer = await reset(client, token, weak)
        assert code(answer) == (422, "validation_error")
        [error] = answer.json()["errors"]
        assert error["loc"] == ["body", "new_password"]
        assert weak not in answer.text
    assert (await reset(client, token)).status_code == 204


async def test_a_newer_link_makes_the_older_dead(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    old, new = [await reset_link(client, inbox, count) for count in (1, 2)]
    assert code(await reset(client, old)) == INVALID_TOKEN
    assert (await reset(client, new)).status_code == 204
    assert code(await reset(client, new)) == INVALID_TOKEN


async def test_an_open_change_of_address_is_dead(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    """As its notice promises: somebody who knew the old password may have begun it."""
    ann = await accounts.sign_in("ann")
    await change_email(client, ann, "evil@x.test")
    change_token = await inbox.token("evil@x.test")
    await inbox.mails(ANN, 1)
    assert (await reset(client, await reset_link(client, inbox, 2))).status_code == 204
    assert code(await confirm(client, change_token, password=NEW_PASSWORD)) == INVALID_TOKEN


async def test_a_changed_address_makes_it_dead(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    token = await reset_link(client, inbox)
    await change_email(client, ann, "new@x.test")
    change_token = await inbox.token("new@x.test")
    assert (await confirm(client, change_token, password=PASSWORD)).status_code == 204
    assert code(await reset(client, token)) == INVALID_TOKEN


async def test_a_link_expires(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox, clock: FrozenClock
) -> None:
    await accounts.add("ann")
    token = await reset_link(client, inbox)
    clock.advance(timedelta(hours=1))
    assert code(await reset(client, token)) == INVALID_TOKEN
    token = await reset_link(client, inbox, 2)
    clock.advance(timedelta(minutes=59))
    assert (await reset(client, token)).status_code == 204


async def test_what_is_no_such_link(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox, settings: Settings
) -> None:
    ann = await accounts.sign_in("ann")
    token = await reset_link(client, inbox)
    await register(client, "other@x.test")
    await change_email(client, ann, "new@x.test")
    links = app.state.auth.links
    [reset_id] = await rows(app, "SELECT id FROM email_links WHERE purpose = 'reset'")
    [change_id] = await rows(app, "SELECT id FROM email_links WHERE purpose = 'change'")
    foreign = OpaqueTokens("another secret key of more than 32 characters", "reset-link")
    for other in (
        await inbox.token("other@x.test"),  # of a registration
        await inbox.token("new@x.test"),  # of a change of address
        links.issue("confirm", reset_id),
        links.issue("change", reset_id),
        links.issue("reset", change_id),
        links.issue("reset", uuid7()),
        foreign.issue(reset_id),
        ann.access_token[:200],
        ann.refresh_token,
        token[:-1],
        token + "A",
        "é" * 70,
    ):
        assert code(await reset(client, other)) == INVALID_TOKEN
    assert (await reset(client, token)).status_code == 204


async def test_it_confirms_no_address(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    token = await reset_link(client, inbox)
    assert code(await confirm(client, token, password=PASSWORD)) == INVALID_TOKEN
    assert (await reset(client, token)).status_code == 204


async def test_a_disabled_account_stays_so(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    token = await reset_link(client, inbox)
    await change(app, update(User).values(is_active=False))
    assert code(await reset(client, token)) == INVALID_TOKEN
    await forgot(client, ANN)
    await all_jobs_done(app)
    assert len(inbox.mailbox.messages(ANN)) == 1


async def test_an_owner_who_was_kept_out_gets_in(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    for _ in range(6):
        await sign_in(client, ANN, "not the password")
    assert code(await sign_in(client, ANN)) == (429, "too_many_failures")
    assert (await reset(client, await reset_link(client, inbox))).status_code == 204
    assert (await sign_in(client, ANN, NEW_PASSWORD)).status_code == 200


async def test_a_reset_does_not_tell_which_username_the_address_has(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    await accounts.add("bob")
    for name in ("ann", "bob"):
        for _ in range(6):
            await sign_in(client, name, "not the password")
    assert (await reset(client, await reset_link(client, inbox))).status_code == 204
    for name in ("ann", "bob"):
        assert code(await sign_in(client, name, "not it")) == (429, "too_many_failures")


@pytest.mark.parametrize("first", ["sign-in", "reset"])
async def test_a_sign_in_at_the_same_time_does_not_survive(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox, first: str
) -> None:
    await accounts.add("ann")
    token = await reset_link(client, inbox)
    begun = {}
    async with locked_account(app, "ann"):
        for number, name in enumerate([first, "reset" if first == "sign-in" else "sign-in"]):
            action = reset(client, token) if name == "reset" else sign_in(client, ANN)
            begun[name] = asyncio.create_task(action)
            await all_wait(app, number + 1)
    assert (await begun["reset"]).status_code == 204
    signed_in = await begun["sign-in"]
    if first == "reset":
        assert code(signed_in) == INVALID_GRANT
    else:
        access_token, refresh_token = pair(signed_in)
        assert (await whoami(client, access_token)).status_code == 401
        assert code(await refresh(client, refresh_token)) == INVALID_GRANT


async def test_a_change_of_the_profile_at_the_same_time(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    """Both count: the reset comes after it, and to what it left."""
    ann = await accounts.sign_in("ann")
    token = await reset_link(client, inbox)
    async with locked_account(app, "ann"):
        changes = {"display_name": "Anna"}
        patch = client.patch("/api/v1/users/me", headers=ann.headers, json=changes)
        patching = asyncio.create_task(patch)
        await all_wait(app, 1)
        resetting = asyncio.create_task(reset(client, token))
        await all_wait(app, 2)
    assert (await patching).status_code == 200
    assert (await resetting).status_code == 204
    access_token, _ = pair(await sign_in(client, ANN, NEW_PASSWORD))
    assert (await whoami(client, access_token)).json()["display_name"] == "Anna"


async def test_a_reset_and_a_change_at_once(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    """One of them; a change that was first makes the link dead."""
    ann = await accounts.sign_in("ann")
    token = await reset_link(client, inbox)
    changed, was_reset = await asyncio.gather(
        change_password(client, ann, "the changed password"), reset(client, token)
    )
    outcome = changed.status_code, was_reset.status_code
    assert outcome in {(204, 400), (400, 204)}
    password = "the changed password" if changed.is_success else NEW_PASSWORD
    assert (await sign_in(client, ANN, password)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reading_the_link_any_number_of_times_changes_nothing(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox, method: str
) -> None:
    await accounts.add("ann")
    token = await reset_link(client, inbox)
    [mail] = await inbox.mails(ANN, 1)
    for answer in await asyncio.gather(
        *(client.request(method, mail.links[0]) for _ in range(10)),
    ):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert token not in answer.text
    for verb in ("GET", "PUT", "DELETE"):
        query = {"token": token, "new_password": NEW_PASSWORD}
        answer = await client.request(verb, RESET, params=query)
        assert code(answer) == (405, "method_not_allowed")
    assert (await sign_in(client, ANN)).status_code == 200
    assert (await reset(client, token)).status_code == 204


async def test_the_pages_need_what_is_served(client: httpx.AsyncClient) -> None:
    for path, script in (
        ("/reset-password", "reset_password.js"),
        ("/forgot-password", "forgot_password.js"),
    ):
        page = await client.get(path)
        assert "unsafe" not in page.headers["content-security-policy"]
        for asset in (f"/account-pages/{script}", "/account-pages/page.css"):
            assert asset in page.text
            assert (await client.get(asset)).status_code == 200
    assert (await client.get("/account-pages/page.js")).status_code == 200
    for name in ("page.html", "..%2Fmail%2Flayout.txt", "nothing.js"):
        answer = await client.get(f"/account-pages/{name}")
        assert code(answer) == (404, "not_found")


async def test_an_address_that_was_never_confirmed_is_not_handed_over(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    """Somebody else may have opened the account; its owner registers, and it is their own."""
    evil = await register(client, ANN, password="the attacker's password", display_name="Evil")
    await inbox.token(ANN)
    await forgot(client, ANN)
    mail, _ = await inbox.mails(ANN, 2)
    assert mail.subject == "This address is not confirmed"
    assert "register again" in mail.text
    assert "token=" not in mail.text
    assert "Evil" not in words(mail)
    secret = await register(client, ANN, password=NEW_PASSWORD, display_name="Ann")
    token = await inbox.token(ANN, 3)
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204
    access_token, _ = pair(await sign_in(client, ANN, NEW_PASSWORD))
    assert (await whoami(client, access_token)).json()["display_name"] == "Ann"
    assert code(await confirm(client, token, registration_secret=evil)) == ALREADY_CONFIRMED


async def test_everybody_gets_the_same_answer_and_the_same_throttle(
    client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock
) -> None:
    await accounts.add("ann")
    await accounts.add("pending", confirmed=False)
    await accounts.add("off", active=False)
    emails = (ANN, "pending@x.test", "off@x.test", "nobody@x.test")
    answers = [{repr(seen(await forgot(client, email))) for email in emails} for _ in range(5)]
    assert len(set.union(*answers)) == 1
    clock.advance(timedelta(minutes=20))
    throttled = [await forgot(client, email) for email in (*emails, " ANN@X.TEST ")]
    assert {repr(seen(answer)) for answer in throttled} == {repr(seen(throttled[0]))}
    assert code(throttled[0]) == (429, "too_many_requests")
    assert int(throttled[0].headers["retry-after"]) in {40 * 60, 40 * 60 + 1}
    clock.advance(timedelta(minutes=40))
    assert {(await forgot(client, email)).status_code for email in emails} == {202}


@pytest.mark.parametrize("by_name", [True, False])
async def test_the_request_does_the_same_whoever_asks(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, *, by_name: bool
) -> None:
    """Or the time it takes would tell who has an account."""
    ann = await accounts.add("ann")
    await accounts.add("pending", confirmed=False)
    await accounts.add("off", active=False)
    statements: list[str] = []

    @event.listens_for(app.state.database.engine.sync_engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    seen_statements = set()
    for name in ("nobody", "ann", "pending", "off"):
        statements.clear()
        await forgot(client, name if by_name else f"{name}@x.test")
        seen_statements.add(tuple(statements))
    assert len(seen_statements) == 1
    assert await rows(app, "SELECT entrypoint FROM pgqueuer") == ["account.reset_link"] * 4
    payloads = await rows(app, "SELECT payload FROM pgqueuer ORDER BY id")
    assert payloads[:2] == [b'{"user_id":null}', b'{"user_id":"%s"}' % str(ann.id).encode()]
    audited = await rows(app, "SELECT details::text FROM audit_log ORDER BY id")
    assert audited == ["{}"] * 4


async def test_an_unknown_address_gets_no_mail(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
) -> None:
    await forgot(client, "nobody@x.test")
    await all_jobs_done(app)
    assert inbox.mailbox.messages() == []


async def test_twenty_requests_at_once_stay_within_the_throttle_and_leave_one_link(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("ann")
    answers = await asyncio.gather(*(forgot(client, ANN) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {202: 5, 429: 15}
    await all_jobs_done(app)
    assert len(await rows(app, "SELECT id FROM email_links")) == 1


async def test_a_job_done_twice_leaves_one_link(app: FastAPI, accounts: Accounts) -> None:
    ann = await accounts.add("ann")
    for _ in range(2):
        await tasks.reset_link.run(job_context(app), tasks.ResetLink(user_id=ann.id))
    assert len(await rows(app, "SELECT id FROM email_links")) == 1


@pytest.mark.parametrize("frontend", [None, "https://app.example.test"])
class TestPoison:
    """With a front end or without."""

    @pytest.fixture
    def settings(self, settings: Settings, frontend: str | None) -> Settings:
        return settings.model_copy(update={"frontend_url": frontend, "email_links_per_hour": 50})

    async def test_no_header_gets_into_a_mail(
        self,
        client: httpx.AsyncClient,
        app: FastAPI,
        accounts: Accounts,
        inbox: Inbox,
        frontend: str | None,
    ) -> None:
        ann = await accounts.sign_in("ann")
        await accounts.add("known")
        await accounts.add("pending", confirmed=False)
        for number, headers in enumerate(POISON):
            for email in (ANN, "pending@x.test"):
                await client.post(FORGOT, json={"email": email}, headers=headers)
            for new_email in ("known@x.test", f"new{number}@x.test"):
                body = {"new_email": new_email, "current_password": PASSWORD}
                answer = await client.post(
                    "/api/v1/users/me/email", json=body, headers=headers | ann.headers
                )
                assert answer.status_code == 202
        await all_jobs_done(app)
        home = frontend or "http://plaza.test"
        mails = inbox.mailbox.messages()
        assert len(mails) >= 4 * len(POISON)
        for mail in mails:
            assert "evil" not in words(mail)
            assert [link for link in mail.links if not link.startswith(home)] == []
        [reset_mail, *_] = [mail for mail in mails if mail.subject == "Set a new password"]
        separator = "#" if frontend else "?"
        assert reset_mail.links[0].startswith(f"{home}/reset-password{separator}token=")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ann"},
        {"email": "Ann <ann@x.test>"},
        {"email": "ann@x.test\r\nBcc: eve@x.test"},
        {"email": ANN, "user_id": 1},
        {"email": "a" * 400},
        {"email": None},
    ],
)
async def test_what_is_not_such_a_request(
    client: httpx.AsyncClient, app: FastAPI, body: dict[str, object]
) -> None:
    answer = await client.post(FORGOT, json=body)
    assert code(answer) == (422, "validation_error")
    assert await rows(app, "SELECT id FROM pgqueuer") == []
