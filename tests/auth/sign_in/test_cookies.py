"""Cookies are read byte for byte: what another host of the domain may set is never ours."""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from fastapi import FastAPI

from src.config import Settings
from tests.auth.support import TOKEN, code, whoami
from tests.support import PASSWORD, Accounts, talking_to

LOGIN, REFRESH, LOGOUT = (f"/api/v1/auth/web/{name}" for name in ("login", "refresh", "logout"))
PLAZA = "https://plaza.test"
COOKIE, DEVICE = b"__Host-plaza_refresh", b"__Host-plaza_device"
ANN = {"username": "ann", "password": PASSWORD}
DUPLICATE = (400, "duplicate_cookie")
INVALID_GRANT = (400, "invalid_grant")
# Cookies that browsers may keep for a whole domain, and that some parser takes for ours.
IMITATIONS = [
    b"\xa0__Host-plaza_refresh=%b",
    b"__Host-plaza_refresh\xa0=%b",
    b"\xc2\xa0__Host-plaza_refresh=%b",
    b"\x85__Host-plaza_refresh=%b",
    b"\x1c__Host-plaza_refresh=%b",
    b"\xe2\x80\x83__Host-plaza_refresh=%b",
    b"\xe3\x80\x80__Host-plaza_refresh\xe2\x80\xa8=%b",
    b"\xef\xbb\xbf__Host-plaza_refresh=%b",
    b"\xe2\x80\x8b__Host-plaza_refresh=%b",
    b"__Host-pla\xc2\xadza_refresh=%b",
    b"__Host-plaza_refre\xc5\xbfh=%b",
    b"\xef\xbc\xbf_Host-plaza_refresh=%b",
    b"\t__Host-plaza_refresh=%b",
    b"  __Host-plaza_refresh=%b",
    b"__Host-plaza_refresh =%b",
    b"__Host-plaza_refresh\t=%b",
    b"__HOST-plaza_refresh=%b",
    b"__host-PLAZA_refresh=%b",
    b"%%5F_Host-plaza_refresh=%b",
    b"%%20__Host-plaza_refresh=%b",
    b"__Host-plaza_refresh%%C2%%A0=%b",
    b"__Host-plaza_refresh%%3D%b",
    b'"__Host-plaza_refresh"=%b',
    b"=__Host-plaza_refresh=%b",
    b"\xa0==__Host-plaza_refresh=%b",
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """On https, where our names have the prefix that binds them to the host."""
    return settings.model_copy(update={"public_url": PLAZA})


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Sends what it is told from a page of ours."""
    async with talking_to(app, PLAZA, {"Origin": PLAZA}) as browser:
        yield browser


@pytest.fixture
async def ours(browser: httpx.AsyncClient, accounts: Accounts) -> bytes:
    """Ann's refresh token."""
    return await refresh_token(browser, accounts, "ann")


@pytest.fixture
async def eves(browser: httpx.AsyncClient, accounts: Accounts) -> bytes:
    """Eve's refresh token, which she wants Ann's browser to use."""
    return await refresh_token(browser, accounts, "eve")


async def refresh_token(browser: httpx.AsyncClient, accounts: Accounts, username: str) -> bytes:
    await accounts.add(username)
    await browser.post(LOGIN, data={"username": username, "password": PASSWORD})
    return browser.cookies[COOKIE.decode()].encode()


async def send(browser: httpx.AsyncClient, path: str, *cookies: bytes) -> httpx.Response:
    """POST with Cookie headers of these bytes, and Ann's password where one is asked for."""
    browser.cookies.clear()
    headers = [(b"Cookie", one) for one in cookies]
    return await browser.post(path, data=None if path == REFRESH else ANN, headers=headers)


def beside(own: bytes, other: bytes) -> list[Sequence[bytes]]:
    """Cookie headers that have both."""
    return [
        [own + b"; theme=dark; " + other],
        [b"theme=dark; " + other + b";" + own],
        [own, b"theme=dark; " + other],
    ]


async def test_a_cookie_that_reads_like_ours_opens_nothing(
    browser: httpx.AsyncClient, ours: bytes, eves: bytes
) -> None:
    own = COOKIE + b"=" + ours
    for pattern in IMITATIONS:
        imitation = pattern % eves
        alone = await send(browser, REFRESH, b"theme=dark; " + imitation)
        assert code(alone) == INVALID_GRANT, pattern
        for cookies in beside(own, imitation):
            for path in (REFRESH, LOGIN):
                answer = await send(browser, path, *cookies)
                assert code(answer) == DUPLICATE, pattern
                assert answer.json()["error"] == "invalid_request"
                assert "set-cookie" not in answer.headers
    answer = await send(browser, REFRESH, own)
    assert (await whoami(browser, answer.json()["access_token"])).json()["username"] == "ann"


async def test_the_very_name_twice_is_refused_whatever_the_values(
    browser: httpx.AsyncClient, ours: bytes, eves: bytes
) -> None:
    own = COOKIE + b"=" + ours
    for other in (COOKIE + b"=" + eves, COOKIE + b"=", own):
        for cookies in beside(own, other):
            assert code(await send(browser, REFRESH, *cookies)) == DUPLICATE


@pytest.mark.parametrize(
    "other",
    [
        b"plaza_refresh=%b",
        b"__Secure-plaza_refresh=%b",
        b"__Host-plaza_refresh2=%b",
        b"x__Host-plaza_refresh=%b",
        b'x="; y="__Host-plaza_refresh=%b',
        b"x=__Host-plaza_refresh=%b",
        b"x, __Host-plaza_refresh=%b",
        b"\xff\xfe=\x00; ;; =; a=b=c; \xe4\xf6; %%; %%zz; %b",
    ],
)
async def test_cookies_of_others_do_not_matter(
    browser: httpx.AsyncClient, ours: bytes, eves: bytes, other: bytes
) -> None:
    for cookies in beside(COOKIE + b"=" + ours, other % eves):
        assert (await send(browser, REFRESH, *cookies)).status_code == 200


async def test_a_value_is_taken_as_it_is(browser: httpx.AsyncClient, ours: bytes) -> None:
    for value in (b'"%b"', b" %b", b"%b\xa0", b"x=%b", b"%%%b", b"%b\t"):
        answer = await send(browser, REFRESH, COOKIE + b"=" + value % ours)
        assert code(answer) == INVALID_GRANT


async def test_the_device_cookie_is_read_with_the_same_care(
    browser: httpx.AsyncClient, ours: bytes
) -> None:
    device = (await send(browser, LOGIN)).cookies[DEVICE.decode()].encode()
    for pattern in (COOKIE + b"=%b", *IMITATIONS):
        of_device = pattern.replace(b"refresh", b"device").replace(b"refre\xc5\xbfh", b"DEVICE")
        imitation = of_device % device
        for cookies in beside(DEVICE + b"=" + device, imitation):
            for path in (LOGIN, TOKEN):
                assert code(await send(browser, path, *cookies)) == DUPLICATE, pattern
    twice = DEVICE + b"=x; " + DEVICE + b"=x"
    answer = await send(browser, REFRESH, COOKIE + b"=" + ours, twice)
    assert answer.status_code == 200  # which reads the other cookie alone


class TestSigningOut:
    """POST /auth/web/logout always works, and leaves nothing behind that is in the way."""

    async def test_it_ends_the_session_and_clears_the_domain(
        self, browser: httpx.AsyncClient, ours: bytes, eves: bytes
    ) -> None:
        for pattern in (COOKIE + b"=%b", *IMITATIONS):
            own = COOKIE + b"=" + (await send(browser, LOGIN)).cookies[COOKIE.decode()].encode()
            answer = await send(browser, LOGOUT, pattern % eves, own)
            assert answer.status_code == 204
            assert answer.headers["clear-site-data"] == '"cookies"', pattern
            assert answer.headers["set-cookie"].startswith(f"{COOKIE.decode()}=; ")
            assert code(await send(browser, REFRESH, own)) == INVALID_GRANT, pattern

    async def test_many_imitations_do_not_save_the_session(
        self, browser: httpx.AsyncClient, ours: bytes, eves: bytes
    ) -> None:
        tossed = b"; ".join(b"\xa0" * count + COOKIE + b"=" + eves for count in range(1, 50))
        assert (await send(browser, LOGOUT, tossed, COOKIE + b"=" + ours)).status_code == 204
        assert code(await send(browser, REFRESH, COOKIE + b"=" + ours)) == INVALID_GRANT

    async def test_a_device_cookie_that_is_in_the_way_is_cleared_too(
        self, browser: httpx.AsyncClient
    ) -> None:
        answer = await send(browser, LOGOUT, b"\xa0" + DEVICE + b"=x")
        assert answer.headers["clear-site-data"] == '"cookies"'

    async def test_cookies_of_others_stay(self, browser: httpx.AsyncClient, ours: bytes) -> None:
        answer = await send(browser, LOGOUT, b"theme=dark; " + COOKIE + b"=" + ours)
        assert answer.status_code == 204
        assert "clear-site-data" not in answer.headers
