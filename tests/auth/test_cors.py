"""CORS (Fetch, section 3.3): only configured origins may read answers or send what needs asking."""

from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from src.config import Settings
from tests.auth.support import LOGOUT, ME, REGISTER, TOKEN
from tests.support import PASSWORD, Account

APP = "https://app.example.test"
SECOND = "http://localhost:5173"
FOREIGN = [
    "https://evil.test",
    "http://app.example.test",
    "https://app.example.test:8443",
    "https://app.example.test.evil.test",
    "https://evil-app.example.test",
    "https://app.example.test/",
    "https://APP.example.test",
    f"{APP}, https://evil.test",
    "null",
    "*",
    "",
]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
HEADERS = ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Two front ends on other origins."""
    return settings.model_copy(update={"cors_origins": [APP, SECOND]})


async def preflight(
    client: httpx.AsyncClient, origin: str, path: str, method: str, *headers: str
) -> httpx.Response:
    """Ask as a browser does before a request that is not simple."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = ", ".join(headers).lower()
    return await client.options(path, headers=asked)


async def simple(client: httpx.AsyncClient, origin: str, ann: Account) -> list[httpx.Response]:
    """Good requests, failures of several kinds, public and private."""
    headers = {"Origin": origin}
    return [
        await client.get("/health/live", headers=headers),
        await client.get("/api/v1/users/ann", headers=headers),
        await client.get(ME, headers=headers | ann.headers),
        await client.get(ME, headers=headers),
        await client.get("/api/v1/nothing", headers=headers),
        await client.post(REGISTER, headers=headers, json={}),
        await client.post(TOKEN, headers=headers, data={"username": "ann", "password": PASSWORD}),
        await client.post(TOKEN, headers=headers, data={"username": "ann", "password": "wrong"}),
        await client.post(REGISTER, headers=headers, content=b"x" * (2**20 + 1)),
    ]


def allowed(answer: httpx.Response) -> dict[str, str]:
    """What an answer permits to other origins, beside what may be sent, which goes with it."""
    found = {
        name.removeprefix("access-control-allow-"): value
        for name, value in answer.headers.items()
        if name.startswith("access-control-")
    }
    if "origin" in found:
        return {name: found[name] for name in ("origin", "credentials") if name in found}
    return found


async def test_a_foreign_origin_may_read_nothing(client: httpx.AsyncClient, ann: Account) -> None:
    for origin in FOREIGN:
        for answer in await simple(client, origin, ann):
            assert allowed(answer) == {}, (origin, answer.request.url)


async def test_a_foreign_origin_may_send_nothing_that_needs_asking(
    client: httpx.AsyncClient,
) -> None:
    for origin in FOREIGN:
        for path in (ME, TOKEN, REGISTER, LOGOUT):
            answer = await preflight(client, origin, path, "POST", "Authorization")
            assert allowed(answer) == {}, origin
            assert answer.status_code == 400


@pytest.mark.parametrize("origin", [APP, SECOND])
async def test_our_front_end_may_read_failures_too(
    client: httpx.AsyncClient, ann: Account, origin: str
) -> None:
    for answer in await simple(client, origin, ann):
        assert allowed(answer) == {"origin": origin, "credentials": "true"}, answer.request.url
        assert "origin" in answer.headers["vary"].lower()
        exposed = answer.headers["access-control-expose-headers"].lower()
        for name in ("ETag", "Link", "Location", "Retry-After", "X-Request-ID"):
            assert name.lower() in exposed


async def test_our_front_end_may_send_what_the_api_takes(client: httpx.AsyncClient) -> None:
    for method in METHODS:
        answer = await preflight(client, APP, ME, method, *HEADERS)
        assert answer.status_code == 200
        assert allowed(answer) == {"origin": APP, "credentials": "true"}
        assert method in answer.headers["access-control-allow-methods"]
        assert "origin" in answer.headers["vary"].lower()
    for method, header in (("TRACE", "Authorization"), ("GET", "X-Evil")):
        assert (await preflight(client, APP, ME, method, header)).status_code == 400


class TestNoOriginConfigured:
    """The default: no other origin at all."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"cors_origins": []})

    async def test_nobody_is_allowed(self, client: httpx.AsyncClient, ann: Account) -> None:
        for origin in (APP, "null"):
            for answer in await simple(client, origin, ann):
                assert allowed(answer) == {}
            answer = await preflight(client, origin, ME, "PATCH", "Authorization")
            assert allowed(answer) == {}
            assert answer.status_code == 405


@pytest.mark.parametrize(
    "origins", ["*", "app.example.test", "https://*.test/x", "https://a.test/b"]
)
def test_only_exact_origins_can_be_configured(tmp_path: Path, origins: str) -> None:
    with pytest.raises(ValidationError, match="exact origins"):
        Settings(_env_file=None, data_dir=tmp_path, environment="test", cors_origins=origins)  # type: ignore[arg-type]


class TestFrontEnd:
    """FRONTEND_URL alone is enough for the front end that mails lead to."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"cors_origins": [], "frontend_url": f"{APP}/app"})

    async def test_its_origin_may_call(self, client: httpx.AsyncClient) -> None:
        answer = await preflight(client, APP, ME, "GET", "Authorization")
        assert answer.headers["access-control-allow-origin"] == APP
        foreign = await preflight(client, "https://evil.test", ME, "GET", "Authorization")
        assert "access-control-allow-origin" not in foreign.headers
