"""Sessions of browsers: the refresh token in a cookie, for pages of our own origins only."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.auth.exceptions import InvalidMfaCodeError
from src.auth.mfa.service import SecondFactor
from src.auth.models import Session
from src.config import Settings
from src.users.models import User
from tests.auth.support import (
    FORM,
    JSON,
    LOGOUT,
    ME,
    ONE_REQUEST_ID,
    TOKEN,
    change,
    code,
    pair,
    refresh,
    rows,
    segment,
    whoami,
)
from tests.support import PASSWORD, Accounts, FrozenClock, all_wait, talking_to

LOGIN, REFRESH, WEB_LOGOUT = (f"/api/v1/auth/web/{name}" for name in ("login", "refresh", "logout"))
PLAZA, FRONTEND, APP = "http://plaza.test", "https://app.example.test", "http://localhost:5173"
CREDENTIALS = {"username": "ann", "password": PASSWORD}
COOKIE = "plaza_refresh"
INVALID_GRANT = (400, "invalid_grant")
INVALID_REQUEST = (400, "invalid_request")
INVALID_TOKEN = (401, "invalid_access_token")
REFUSED = (403, "origin_not_allowed")
FOREIGN = [
    None,
    "null",
    "",
    "*",
    "https://evil.test",
    "http://plaza.test.evil.test",
    "http://evil-plaza.test",
    "http://plaza.test:8080",
    "https://plaza.test",
    "http://plaza.test/",
    "http://PLAZA.test",
    f"{PLAZA}, https://evil.test",
    f"{PLAZA} {PLAZA}",
    "https://app.example.test:8443",
    "http://app.example.test",
    "http://localhost",
    "file://",
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A front end, and another on this machine."""
    return settings.model_copy(
        update={"frontend_url": f"{FRONTEND}:443/app", "cors_origins": [APP]}
    )


@pytest.fixture
async def browser(app: FastAPI, accounts: Accounts) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that shows a page of ours; Ann has an account."""
    await accounts.add("ann")
    async with talking_to(app, PLAZA, {"Origin": PLAZA}) as browser:
        yield browser


async def log_in(browser: httpx.AsyncClient) -> str:
    """Sign in; the access token."""
    answer = await browser.post(LOGIN, data=CREDENTIALS)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def cookie_of(answer: httpx.Response, name: str = COOKIE) -> tuple[str, set[str]]:
    """The value and the attributes of a cookie that an answer sets."""
    found = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{name}=")]
    assert len(found) == 1, answer.headers
    first, *attributes = found[0].split("; ")
    return first.partition("=")[2], set(attributes)


def is_cleared(answer: httpx.Response) -> bool:
    """Whether an answer removes the cookie."""
    value, attributes = cookie_of(answer)
    return value == "" and {"Max-Age=0", "Path=/"} <= attributes


class TestSigningIn:
    """POST /auth/web/login."""

    async def test_the_refresh_token_is_in_a_cookie_only(self, browser: httpx.AsyncClient) -> None:
        answer = await browser.post(LOGIN, data=CREDENTIALS)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
        assert (body["token_type"], body["expires_in"]) == ("bearer", 600)
        value, attributes = cookie_of(answer)
        assert attributes == {"Path=/", "Max-Age=1209600", "HttpOnly", "SameSite=Strict"}
        assert value not in answer.text
        assert cookie_of(answer, "plaza_device")[1] == {
            "Path=/",
            "Max-Age=31536000",
            "HttpOnly",
            "SameSite=Strict",
        }

    async def test_the_access_token_works_like_any_other(self, browser: httpx.AsyncClient) -> None:
        access = await log_in(browser)
        assert (await whoami(browser, access)).json()["username"] == "ann"
        assert segment(access, 1)["client_id"] == "plaza"
        headers = {"Authorization": f"Bearer {access}"}
        assert (await browser.post(LOGOUT, headers=headers)).status_code == 204
        assert code(await browser.post(REFRESH)) == INVALID_GRANT

    async def test_a_json_object_will_do(self, browser: httpx.AsyncClient) -> None:
        wishes = {"scope": "profile:read", "grant_type": "password", "client_id": "plaza"}
        answer = await browser.post(LOGIN, json=CREDENTIALS | wishes)
        assert answer.status_code == 200
        assert answer.json()["scope"] == "profile:read"
        assert (await browser.post(LOGIN, json=CREDENTIALS | {"scope": ""})).status_code == 200

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b'"ann"',
            b"{",
            b"{}",
            b'{"username": "ann"}',
            b'{"username": "ann", "password": null}',
            b'{"username": "ann", "password": 1}',
            b'{"username": "ann", "password": ["x"]}',
            b'{"username": "ann", "password": {"$ne": ""}}',
            b'{"username": "ann", "password": "a\\u0000b"}',
            b'{"username": "ann", "password": "\\ud800"}',
            b'{"username": "ann", "password": "\xff"}',
            b'{"username": "' + b"a" * 1025 + b'", "password": "x"}',
            b"[" * 10_000,
            b'{"a":' * 3000,
            b"{" + b",".join(b'"f%d": "x"' % number for number in range(21)) + b"}",
            b'{"username": "ann", "password": NaN}',
        ],
    )
    async def test_json_that_is_no_object_of_strings_is_refused(
        self, browser: httpx.AsyncClient, body: bytes
    ) -> None:
        answer = await browser.post(LOGIN, content=body, headers=JSON)
        assert code(answer) == INVALID_REQUEST
        assert answer.json()["error"] == "invalid_request"
        assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize(
        "body", [b"", b"username=ann", b"username=ann&username=ann&password=x", b"password=%00"]
    )
    async def test_a_form_has_to_be_complete(self, browser: httpx.AsyncClient, body: bytes) -> None:
        assert code(await browser.post(LOGIN, content=body, headers=FORM)) == INVALID_REQUEST
        plain = {"Content-Type": "text/plain"}
        assert code(await browser.post(LOGIN, content=body, headers=plain)) == INVALID_REQUEST
        assert code(await browser.post(LOGIN, content=body)) == INVALID_REQUEST

    async def test_other_grants_are_not_for_here(self, browser: httpx.AsyncClient) -> None:
        for grant in ("refresh_token", "client_credentials", "authorization_code", "x"):
            answer = await browser.post(LOGIN, data=CREDENTIALS | {"grant_type": grant})
            assert code(answer) == (400, "unsupported_grant_type")

    @pytest.mark.parametrize(
        "client",
        [
            {"client_id": "robot"},
            {"client_id": "robot", "client_secret": "x"},
            {"client_secret": "x"},
            {"client_id": "plaza", "client_secret": "x"},
        ],
    )
    async def test_a_client_with_a_secret_is_not_for_here(
        self, browser: httpx.AsyncClient, client: dict[str, str]
    ) -> None:
        answer = await browser.post(LOGIN, data=CREDENTIALS | client)
        assert code(answer) == (400, "unauthorized_client")
        assert "www-authenticate" not in answer.headers  # no password dialog of the browser's

    async def test_an_old_token_in_the_header_does_not_matter(
        self, browser: httpx.AsyncClient
    ) -> None:
        headers = {"Authorization": "Bearer old"}
        assert (await browser.post(LOGIN, data=CREDENTIALS, headers=headers)).status_code == 200
        assert (await browser.post(REFRESH, headers=headers)).status_code == 200

    async def test_failures_are_those_of_the_token_endpoint(
        self, browser: httpx.AsyncClient, settings: Settings
    ) -> None:
        wrong = CREDENTIALS | {"password": "wrong horse"}
        for _ in range(settings.failures_per_pair):
            answer = await browser.post(LOGIN, json=wrong)
            assert code(answer) == INVALID_GRANT
            assert "set-cookie" not in answer.headers
        answer = await browser.post(LOGIN, json=CREDENTIALS)
        assert code(answer) == (429, "too_many_failures")
        assert answer.headers["retry-after"] == "1"
        assert code(await browser.post(TOKEN, data=CREDENTIALS)) == (429, "too_many_failures")

    async def test_a_known_device_gets_in_while_others_wait(
        self, browser: httpx.AsyncClient, client: httpx.AsyncClient, settings: Settings
    ) -> None:
        await log_in(browser)
        for _ in range(settings.failures_per_pair):
            await client.post(TOKEN, data=CREDENTIALS | {"password": "wrong horse"})
        assert code(await client.post(TOKEN, data=CREDENTIALS)) == (429, "too_many_failures")
        await log_in(browser)

    @pytest.mark.parametrize("kind", ["data", "json"])
    async def test_the_second_factor_is_asked_for(
        self,
        browser: httpx.AsyncClient,
        app: FastAPI,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
    ) -> None:
        async def verify(_: SecondFactor, user: User, sent: str, *, known_device: bool) -> None:
            if sent != "123456":
                raise InvalidMfaCodeError

        monkeypatch.setattr(SecondFactor, "verify", verify)
        await change(app, update(User).values(mfa_enabled=True))

        async def post(**fields: str) -> httpx.Response:
            if kind == "json":
                return await browser.post(LOGIN, json=fields)
            return await browser.post(LOGIN, data=fields)

        asked = await post(**CREDENTIALS)
        assert code(asked) == (400, "mfa_required")
        assert "set-cookie" not in asked.headers
        mfa_token = asked.json()["mfa_token"]
        assert code(await post(mfa_token=mfa_token)) == INVALID_REQUEST
        assert code(await post(mfa_token=mfa_token, code="0")) == (400, "invalid_code")
        answer = await post(mfa_token=mfa_token, code="123456")
        assert answer.status_code == 200
        assert "refresh_token" not in answer.json()
        assert cookie_of(answer)[0]
        assert (await browser.post(REFRESH)).status_code == 200


class TestRefreshing:
    """POST /auth/web/refresh."""

    async def test_every_refresh_renews_the_cookie(
        self, browser: httpx.AsyncClient, clock: FrozenClock
    ) -> None:
        accesses, cookies = {await log_in(browser)}, {browser.cookies[COOKIE]}
        for _ in range(3):
            clock.advance(timedelta(minutes=10))
            answer = await browser.post(REFRESH)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
            value, attributes = cookie_of(answer)
            assert attributes == {"Path=/", "Max-Age=1209600", "HttpOnly", "SameSite=Strict"}
            accesses.add(answer.json()["access_token"])
            cookies.add(value)
        assert len(accesses) == len(cookies) == 4
        assert len({segment(access, 1)["sid"] for access in accesses}) == 1

    async def test_tabs_that_ask_at_once_get_the_same_cookie(
        self, browser: httpx.AsyncClient, clock: FrozenClock
    ) -> None:
        await log_in(browser)
        headers = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        browser.cookies.clear()
        answers = await asyncio.gather(*(browser.post(REFRESH, headers=headers) for _ in range(10)))
        clock.advance(timedelta(seconds=10))
        answers.append(await browser.post(REFRESH, headers=headers))  # a slow one, in its grace
        assert {answer.status_code for answer in answers} == {200}
        assert len({cookie_of(answer)[0] for answer in answers}) == 1
        for answer in answers:
            assert (await whoami(browser, answer.json()["access_token"])).status_code == 200
        assert (await browser.post(REFRESH)).status_code == 200

    async def test_a_spent_cookie_ends_the_session(
        self, browser: httpx.AsyncClient, app: FastAPI, clock: FrozenClock
    ) -> None:
        await log_in(browser)
        stolen = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        access = (await browser.post(REFRESH)).json()["access_token"]
        assert (await whoami(browser, access)).status_code == 200
        newest = browser.cookies[COOKIE]
        clock.advance(timedelta(seconds=11))
        browser.cookies.clear()
        answer = await browser.post(REFRESH, headers=stolen)
        assert code(answer) == INVALID_GRANT
        assert answer.json()["error"] == "invalid_grant"
        assert "set-cookie" not in answer.headers
        assert code(await whoami(browser, access)) == INVALID_TOKEN
        answer = await browser.post(REFRESH, headers={"Cookie": f"{COOKIE}={newest}"})
        assert code(answer) == INVALID_GRANT
        assert await rows(app, "SELECT end_reason FROM sessions") == ["refresh_token_reused"]

    @pytest.mark.parametrize(
        "cookie", ["", f"{COOKIE}=", f"{COOKIE}=x", f"{COOKIE}={'A' * 70}", rf'{COOKIE}="\000"']
    )
    async def test_no_cookie_of_ours_is_no_grant(
        self, browser: httpx.AsyncClient, cookie: str
    ) -> None:
        answer = await browser.post(REFRESH, headers={"Cookie": cookie})
        assert code(answer) == INVALID_GRANT
        assert "set-cookie" not in answer.headers

    async def test_a_late_refusal_does_not_sign_out_who_has_signed_in_again(
        self, browser: httpx.AsyncClient, clock: FrozenClock
    ) -> None:
        await log_in(browser)
        clock.advance(timedelta(days=14))
        late = await browser.post(REFRESH)
        assert code(late) == INVALID_GRANT
        same = {"Sec-Fetch-Site": "same-origin"}
        none = await browser.get("/api/v1/auth/web/session", headers=same)
        assert none.json() is None
        await log_in(browser)  # in another tab, before the answers arrive
        browser.cookies.extract_cookies(late)
        browser.cookies.extract_cookies(none)
        assert (await browser.post(REFRESH)).status_code == 200

    async def test_a_failure_of_ours_leaves_the_cookie(
        self, browser: httpx.AsyncClient, app: FastAPI
    ) -> None:
        await log_in(browser)
        async with app.state.database.engine.connect() as connection:
            await connection.exec_driver_sql("SET statement_timeout = '20s'")
            await connection.exec_driver_sql("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            refreshing = asyncio.create_task(browser.post(REFRESH))
            await all_wait(app, 1)
            await connection.exec_driver_sql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            answer = await refreshing
        assert answer.status_code == 503
        assert "set-cookie" not in answer.headers
        assert (await browser.post(REFRESH)).status_code == 200


class TestSigningOut:
    """POST /auth/web/logout."""

    async def test_it_ends_the_session_and_clears_the_cookie(
        self, browser: httpx.AsyncClient, app: FastAPI, accounts: Accounts
    ) -> None:
        other = await accounts.sign_in("ann")
        access, cookie = await log_in(browser), browser.cookies[COOKIE]
        answer = await browser.post(WEB_LOGOUT)
        assert (answer.status_code, answer.content) == (204, b"")
        assert is_cleared(answer)
        assert COOKIE not in browser.cookies
        assert code(await whoami(browser, access)) == INVALID_TOKEN
        assert code(await refresh(browser, cookie)) == INVALID_GRANT
        assert (await whoami(browser, other.access_token)).status_code == 200
        signed_out = "SELECT count(*) FROM audit_log WHERE action = 'session.signed_out'"
        assert await rows(app, signed_out) == [1]

    async def test_when_everything_has_expired_the_cookie_is_cleared(
        self, browser: httpx.AsyncClient, clock: FrozenClock
    ) -> None:
        await log_in(browser)
        headers = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        clock.advance(timedelta(days=70))
        answer = await browser.post(WEB_LOGOUT, headers=headers)
        assert answer.status_code == 204
        assert is_cleared(answer)

    @pytest.mark.parametrize("cookie", ["", f"{COOKIE}=x", f"{COOKIE}={'A' * 70}"])
    async def test_without_a_session_there_is_nothing_to_end(
        self, browser: httpx.AsyncClient, cookie: str
    ) -> None:
        answer = await browser.post(WEB_LOGOUT, headers={"Cookie": cookie})
        assert answer.status_code == 204
        assert is_cleared(answer)

    async def test_a_forged_cookie_ends_nothing(self, browser: httpx.AsyncClient) -> None:
        access, cookie = await log_in(browser), browser.cookies[COOKIE]
        forged = cookie[:40] + ("A" if cookie[40] != "A" else "B") + cookie[41:]
        headers = {"Cookie": f"{COOKIE}={forged}"}
        browser.cookies.clear()
        assert (await browser.post(WEB_LOGOUT, headers=headers)).status_code == 204
        assert (await whoami(browser, access)).status_code == 200

    async def test_the_session_of_a_client_with_a_secret_is_not_for_here(
        self, browser: httpx.AsyncClient, app: FastAPI
    ) -> None:
        access = await log_in(browser)
        await change(app, update(Session).values(client_id="robot"))
        headers = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        browser.cookies.clear()
        assert code(await browser.post(REFRESH, headers=headers)) == INVALID_GRANT
        assert (await browser.post(WEB_LOGOUT, headers=headers)).status_code == 204
        assert (await whoami(browser, access)).status_code == 200

    async def test_a_spent_cookie_signs_out_too(self, browser: httpx.AsyncClient) -> None:
        await log_in(browser)
        spent = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        access = (await browser.post(REFRESH)).json()["access_token"]
        browser.cookies.clear()
        assert (await browser.post(WEB_LOGOUT, headers=spent)).status_code == 204
        assert code(await whoami(browser, access)) == INVALID_TOKEN

    async def test_signing_out_while_another_tab_refreshes_ends_the_session(
        self, browser: httpx.AsyncClient
    ) -> None:
        await log_in(browser)
        headers = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        browser.cookies.clear()
        *answers, out = await asyncio.gather(
            *(browser.post(REFRESH, headers=headers) for _ in range(5)),
            browser.post(WEB_LOGOUT, headers=headers),
        )
        assert out.status_code == 204
        for answer in answers:
            if answer.status_code == 200:
                assert code(await whoami(browser, answer.json()["access_token"])) == INVALID_TOKEN
            else:
                assert code(answer) == INVALID_GRANT
        assert code(await browser.post(REFRESH, headers=headers)) == INVALID_GRANT


class TestOrigin:
    """Only pages of our own may use the cookie."""

    @pytest.mark.parametrize("origin", FOREIGN)
    async def test_another_origin_is_refused_before_anything_else(
        self, browser: httpx.AsyncClient, app: FastAPI, origin: str | None
    ) -> None:
        await log_in(browser)
        cookie = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"} | ONE_REQUEST_ID
        if origin is not None:
            cookie["Origin"] = origin
        del browser.headers["Origin"]
        failures = "SELECT count(*) FROM audit_log WHERE action = 'sign_in.failed'"
        for path in (LOGIN, REFRESH, WEB_LOGOUT):
            for body in (CREDENTIALS, CREDENTIALS | {"password": "wrong horse"}, {"x": "y"}):
                answer = await browser.post(path, data=body, headers=cookie)
                assert code(answer) == REFUSED
                assert "set-cookie" not in answer.headers
                assert "access-control-allow-credentials" not in answer.headers
        assert await rows(app, failures) == [0]
        assert await rows(app, "SELECT refresh_generation FROM sessions") == [0]
        assert await rows(app, "SELECT ended_at FROM sessions") == [None]

    async def test_two_origins_are_refused(self, browser: httpx.AsyncClient) -> None:
        del browser.headers["Origin"]
        headers = [("Origin", PLAZA), ("Origin", "https://evil.test")]
        for both in (headers, headers[::-1], [headers[0]] * 2):
            assert code(await browser.post(LOGIN, data=CREDENTIALS, headers=both)) == REFUSED

    @pytest.mark.parametrize("origin", [PLAZA, FRONTEND, APP])
    async def test_our_own_are_let_through(self, browser: httpx.AsyncClient, origin: str) -> None:
        browser.headers["Origin"] = origin
        await log_in(browser)
        assert (await browser.post(REFRESH)).status_code == 200
        assert (await browser.post(WEB_LOGOUT)).status_code == 204

    async def test_a_page_on_another_site_is_told_why_there_is_no_cookie(
        self, browser: httpx.AsyncClient
    ) -> None:
        await log_in(browser)
        browser.headers.update({"Origin": APP, "Sec-Fetch-Site": "cross-site"})
        for path in (LOGIN, REFRESH, WEB_LOGOUT):
            answer = await browser.post(path, data=CREDENTIALS)
            assert code(answer) == (403, "cross_site")
            assert "drop the cookie" in answer.json()["title"]
            assert "set-cookie" not in answer.headers
        browser.headers["Origin"] = "https://evil.test"
        assert code(await browser.post(REFRESH)) == REFUSED
        for site in ("same-site", "same-origin"):
            browser.headers.update({"Origin": APP, "Sec-Fetch-Site": site})
            assert (await browser.post(REFRESH)).status_code == 200

    async def test_a_front_end_of_cors_may_send_and_read(self, browser: httpx.AsyncClient) -> None:
        browser.headers["Origin"] = APP
        answers = [
            await browser.options(REFRESH, headers={"Access-Control-Request-Method": "POST"}),
            await browser.post(LOGIN, data=CREDENTIALS),
            await browser.post(REFRESH),
            await browser.post(LOGIN, data={}),
        ]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == APP
            assert answer.headers["access-control-allow-credentials"] == "true"


class TestElsewhere:
    """The cookies open nothing but /auth/web."""

    async def test_cookies_are_no_credentials(self, browser: httpx.AsyncClient) -> None:
        access = await log_in(browser)
        for name, value in (("access_token", access), ("session", access), (COOKIE, access)):
            browser.cookies.set(name, value, domain="plaza.test")
            for method, path in (("GET", ME), ("PATCH", ME), ("POST", LOGOUT)):
                answer = await browser.request(method, path)
                assert code(answer) == (401, "not_authenticated")

    async def test_the_token_endpoint_does_not_read_the_cookie(
        self, browser: httpx.AsyncClient
    ) -> None:
        await log_in(browser)
        answer = await browser.post(TOKEN, data={"grant_type": "refresh_token"})
        assert code(answer) == INVALID_REQUEST
        assert (await browser.post(REFRESH)).status_code == 200

    async def test_the_token_endpoint_keeps_its_tokens_out_of_cookies(
        self, browser: httpx.AsyncClient
    ) -> None:
        answer = await browser.post(TOKEN, data=CREDENTIALS)
        _, refresh_token = pair(answer)
        assert not [one for one in answer.headers.get_list("set-cookie") if refresh_token in one]
        refreshed = await refresh(browser, refresh_token)
        assert "set-cookie" not in refreshed.headers

    @pytest.mark.parametrize("path", [LOGIN, REFRESH, WEB_LOGOUT])
    async def test_nothing_is_done_by_a_link(self, browser: httpx.AsyncClient, path: str) -> None:
        await log_in(browser)
        assert code(await browser.get(path)) == (405, "method_not_allowed")
        assert (await browser.post(REFRESH)).status_code == 200


async def test_two_on_one_machine_do_not_sign_each_other_out(
    app: FastAPI, browser: httpx.AsyncClient
) -> None:
    """Browsers send the cookies of one port to every other port of the host."""
    settings: Settings = app.state.settings
    for port in (8000, 8001):
        app.state.settings = settings.model_copy(update={"public_url": f"http://plaza.test:{port}"})
        browser.headers["Origin"] = f"http://plaza.test:{port}"
        await log_in(browser)
    assert set(browser.cookies) == {
        f"plaza_{name}_{port}" for name in ("refresh", "device") for port in (8000, 8001)
    }
    for port in (8000, 8001):
        app.state.settings = settings.model_copy(update={"public_url": f"http://plaza.test:{port}"})
        browser.headers["Origin"] = f"http://plaza.test:{port}"
        assert (await browser.post(REFRESH)).status_code == 200


class TestHttps:
    """PUBLIC_URL is https: the cookies are bound to the host."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"public_url": "https://plaza.test"})

    async def test_the_cookies_are_for_this_host_and_https_only(
        self, browser: httpx.AsyncClient
    ) -> None:
        browser.base_url, browser.headers["Origin"] = "https://plaza.test", "https://plaza.test"
        answer = await browser.post(LOGIN, data=CREDENTIALS)
        for name in ("__Host-plaza_refresh", "__Host-plaza_device"):
            assert {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"} < cookie_of(answer, name)[1]
        assert "domain" not in answer.headers["set-cookie"].lower()
        assert len(answer.headers.get_list("set-cookie")) == 2
        plain = {"Cookie": f"{COOKIE}={browser.cookies['__Host-plaza_refresh']}"}
        assert (await browser.post(REFRESH)).status_code == 200
        browser.cookies.clear()
        answer = await browser.post(REFRESH, headers=plain)
        assert code(answer) == INVALID_GRANT
        answer = await browser.post(WEB_LOGOUT)
        assert cookie_of(answer, "__Host-plaza_refresh")[0] == ""
        assert {"Secure", "Path=/"} < cookie_of(answer, "__Host-plaza_refresh")[1]
