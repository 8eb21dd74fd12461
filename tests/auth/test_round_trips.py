"""Fewer requests for a front end: signed in by confirming, the account with the tokens."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.config import Settings
from src.users.models import User
from tests.auth.support import (
    CONFIRM,
    ME,
    TOKEN,
    change,
    code,
    pair,
    refresh,
    register,
    rows,
    whoami,
)
from tests.support import PASSWORD, Accounts, FrozenClock, Inbox, resolved, talking_to

WEB = "/api/v1/auth/web"
SESSION, LOGIN = f"{WEB}/session", f"{WEB}/login"
PLAZA, FRONTEND = "http://plaza.test", "https://app.plaza.test"
ANN = "ann@x.test"
CREDENTIALS = {"username": "ann", "password": PASSWORD}
COOKIE = "plaza_refresh"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
AUDIT = "SELECT action FROM audit_log WHERE action LIKE 'sign_in%'"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A front end on another origin of the site."""
    return settings.model_copy(update={"frontend_url": FRONTEND})


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that shows a page of the server's own origin."""
    async with talking_to(app, PLAZA, SAME_ORIGIN) as browser:
        yield browser


async def log_in(browser: httpx.AsyncClient, **form: str) -> httpx.Response:
    return await browser.post(LOGIN, data=CREDENTIALS | form, headers={"Origin": PLAZA})


class TestConfirming:
    """POST /auth/email/confirm with `sign_in`."""

    @pytest.mark.parametrize("proof", ["registration_secret", "password"])
    async def test_the_proof_of_a_registration_signs_in(
        self, client: httpx.AsyncClient, app: FastAPI, inbox: Inbox, proof: str
    ) -> None:
        secret = await register(client, ANN)
        token = await inbox.token(ANN)
        proofs = {"registration_secret": secret, "password": PASSWORD}
        body = {"token": token, proof: proofs[proof], "sign_in": True}
        answer = await client.post(CONFIRM, json=body)
        access, refresh_token = pair(answer)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["user"] == (await whoami(client, access)).json()
        assert answer.json()["user"]["email_verified"] is True
        assert (await refresh(client, refresh_token)).status_code == 200
        assert answer.cookies["plaza_device"]
        assert await rows(app, AUDIT) == ["sign_in.succeeded"]
        assert (await client.post(CONFIRM, json=body)).status_code == 400  # once

    async def test_an_account_that_somebody_else_opened_is_its_owners(
        self, client: httpx.AsyncClient, inbox: Inbox
    ) -> None:
        await register(client, ANN, password="the password of somebody else", display_name="Eve")
        secret = await register(client, ANN, display_name="Ann")
        body = {"registration_secret": secret, "sign_in": True}
        answer = await client.post(CONFIRM, json=body | {"token": await inbox.token(ANN, 2)})
        assert answer.json()["user"]["display_name"] == "Ann"
        assert (await whoami(client, pair(answer)[0])).status_code == 200

    @pytest.mark.parametrize("wish", [{}, {"sign_in": False}])
    async def test_nobody_is_signed_in_unasked(
        self, client: httpx.AsyncClient, app: FastAPI, inbox: Inbox, wish: dict[str, bool]
    ) -> None:
        secret = await register(client, ANN)
        body = {"token": await inbox.token(ANN), "registration_secret": secret} | wish
        answer = await client.post(CONFIRM, json=body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "set-cookie" not in answer.headers
        assert await rows(app, "SELECT id FROM sessions") == []

    async def test_a_wrong_proof_signs_nobody_in(
        self, client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
    ) -> None:
        await register(client, ANN)
        body = {"token": await inbox.token(ANN), "password": "wrong horse", "sign_in": True}
        refused = await client.post(CONFIRM, json=body)
        assert code(refused) == (400, "confirmation_proof_required")
        assert await rows(app, "SELECT id FROM sessions") == []

    async def test_a_disabled_account_stays_outside(
        self, client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
    ) -> None:
        secret = await register(client, ANN)
        await change(app, update(User).values(is_active=False))
        body = {"token": await inbox.token(ANN), "registration_secret": secret, "sign_in": True}
        assert code(await client.post(CONFIRM, json=body)) == (400, "invalid_grant")
        assert await rows(app, "SELECT id FROM sessions") == []

    async def test_the_second_factor_is_not_passed_by(
        self, client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
    ) -> None:
        secret = await register(client, ANN)
        await change(app, update(User).values(mfa_enabled=True))  # before it had to be confirmed
        body = {"token": await inbox.token(ANN), "registration_secret": secret, "sign_in": True}
        assert (await client.post(CONFIRM, json=body)).status_code == 204
        assert await rows(app, "SELECT id FROM sessions") == []

    async def test_a_change_of_address_opens_no_session(
        self, client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
    ) -> None:
        ann = await accounts.sign_in("ann")
        wish = {"new_email": "new@x.test", "current_password": PASSWORD}
        await client.post(f"{ME}/email", json=wish, headers=ann.headers)
        body = {"token": await inbox.token("new@x.test"), "password": PASSWORD, "sign_in": True}
        assert (await client.post(CONFIRM, json=body)).status_code == 204


class TestIncludedUser:
    """`include=user` where tokens are asked for."""

    @pytest.mark.parametrize("path", [TOKEN, LOGIN])
    async def test_the_account_comes_with_the_tokens_when_asked_for(
        self, browser: httpx.AsyncClient, accounts: Accounts, path: str
    ) -> None:
        await accounts.add("ann")
        origin = {"Origin": PLAZA}
        plain = (await browser.post(path, data=CREDENTIALS, headers=origin)).json()
        form = CREDENTIALS | {"include": "user"}
        answer = (await browser.post(path, data=form, headers=origin)).json()
        assert answer.keys() == {*plain.keys(), "user"}
        assert "user" not in plain
        assert answer["user"] == (await whoami(browser, answer["access_token"])).json()
        narrow = await browser.post(path, data=form | {"scope": "posts:read"}, headers=origin)
        assert narrow.json()["user"] is None
        other = await browser.post(path, data=form | {"include": "posts"}, headers=origin)
        assert other.status_code == 400
        assert other.json()["error"] == "invalid_request"

    @pytest.mark.parametrize("path", [TOKEN, LOGIN])
    async def test_the_api_document_says_so(self, client: httpx.AsyncClient, path: str) -> None:
        document = (await client.get("/openapi.json")).json()
        operation = document["paths"][path]["post"]
        for body in operation["requestBody"]["content"].values():
            assert "include" in resolved(document, body["schema"])["properties"]
        answers = operation["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
        schemas = [document["components"]["schemas"][a["$ref"].split("/")[-1]] for a in answers]
        assert ["user" in schema["properties"] for schema in schemas] == [False, True]

    async def test_a_refresh_may_include_it_too(
        self, client: httpx.AsyncClient, accounts: Accounts
    ) -> None:
        ann = await accounts.sign_in("ann")
        answer = await refresh(client, ann.refresh_token, include="user")
        assert answer.json()["user"]["username"] == "ann"
        assert answer.headers["cache-control"] == "no-store"


class TestWebSession:
    """GET /auth/web/session."""

    async def test_it_says_who_is_signed_in(
        self, browser: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock
    ) -> None:
        await accounts.add("ann")
        await log_in(browser)
        cookies = {browser.cookies[COOKIE]}
        for _ in range(3):
            clock.advance(timedelta(days=13))  # each answer lets the session live on
            answer = await browser.get(SESSION)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            body = answer.json()
            assert body.keys() == {"user", "access_token", "token_type", "expires_in", "scope"}
            assert body["user"] == (await whoami(browser, body["access_token"])).json()
            cookies.add(browser.cookies[COOKIE])
        assert len(cookies) == 4

    async def test_nobody_is_null(self, browser: httpx.AsyncClient) -> None:
        answer = await browser.get(SESSION)
        assert (answer.status_code, answer.json()) == (200, None)
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        answer = await browser.get(SESSION, headers={"Cookie": f"{COOKIE}=x"})
        assert (answer.status_code, answer.json()) == (200, None)
        assert "set-cookie" not in answer.headers  # the browser may hold a newer one by now

    async def test_a_spent_cookie_ends_the_session_here_too(
        self, browser: httpx.AsyncClient, app: FastAPI, accounts: Accounts, clock: FrozenClock
    ) -> None:
        await accounts.add("ann")
        await log_in(browser)
        stolen = browser.cookies[COOKIE]
        for _ in range(2):
            await browser.get(SESSION)
            clock.advance(timedelta(seconds=11))
        browser.cookies.clear()
        answer = await browser.get(SESSION, headers={"Cookie": f"{COOKIE}={stolen}"})
        assert answer.json() is None
        assert await rows(app, "SELECT end_reason FROM sessions") == ["refresh_token_reused"]

    async def test_tabs_that_open_at_once_are_all_signed_in(
        self, browser: httpx.AsyncClient, accounts: Accounts
    ) -> None:
        await accounts.add("ann")
        await log_in(browser)
        headers = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        browser.cookies.clear()
        answers = await asyncio.gather(*(browser.get(SESSION, headers=headers) for _ in range(5)))
        assert {answer.json()["user"]["username"] for answer in answers} == {"ann"}

    async def test_the_account_is_for_whom_the_scopes_allow_it(
        self, browser: httpx.AsyncClient, accounts: Accounts
    ) -> None:
        await accounts.add("ann")
        await log_in(browser, scope="posts:read")
        body = (await browser.get(SESSION)).json()
        assert (body["user"], body["scope"]) == (None, "posts:read")

    async def test_who_may_do_nothing_any_more_is_nobody_until_they_may_again(
        self, browser: httpx.AsyncClient, app: FastAPI, accounts: Accounts, clock: FrozenClock
    ) -> None:
        await accounts.add("ann", roles=("admin",))
        await log_in(browser, scope="users:manage")
        await change(app, update(User).values(roles=[]))
        for _ in range(2):
            answer = await browser.get(SESSION)
            assert (answer.status_code, answer.json()) == (200, None)
            clock.advance(timedelta(seconds=11))
        await change(app, update(User).values(roles=["admin"]))
        assert (await browser.get(SESSION)).json()["scope"] == "users:manage"

    @pytest.mark.parametrize(
        ("headers", "refused"),
        [
            ({}, "origin_not_allowed"),
            ({"Sec-Fetch-Site": "none"}, "origin_not_allowed"),
            ({"Sec-Fetch-Site": "same-site"}, "origin_not_allowed"),
            ({"Sec-Fetch-Site": "cross-site"}, "origin_not_allowed"),
            ({"Origin": "https://evil.plaza.test", **SAME_ORIGIN}, "origin_not_allowed"),
            ({"Origin": "null", **SAME_ORIGIN}, "origin_not_allowed"),
            ({"Origin": FRONTEND, "Sec-Fetch-Site": "cross-site"}, "cross_site"),
            (SAME_ORIGIN, None),
            ({"Origin": FRONTEND, "Sec-Fetch-Site": "same-site"}, None),
            ({"Origin": PLAZA}, None),
        ],
    )
    async def test_it_answers_pages_of_ours_only(
        self,
        browser: httpx.AsyncClient,
        app: FastAPI,
        accounts: Accounts,
        headers: dict[str, str],
        refused: str | None,
    ) -> None:
        await accounts.add("ann")
        await log_in(browser)
        del browser.headers["Sec-Fetch-Site"]
        answer = await browser.get(SESSION, headers=headers)
        if refused is None:
            assert answer.json()["user"]["username"] == "ann"
        else:
            assert code(answer) == (403, refused)
            assert await rows(app, "SELECT refresh_generation FROM sessions") == [0]

    async def test_a_get_alone_may_do_without_an_origin(self, browser: httpx.AsyncClient) -> None:
        for name in ("login", "refresh", "logout"):
            assert code(await browser.post(f"{WEB}/{name}")) == (403, "origin_not_allowed")
