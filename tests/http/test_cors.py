"""Cross-origin requests: the configured origins may read every answer, others none."""

from collections.abc import AsyncIterator

import httpx
import pytest

from src.config import Settings
from src.main import create_app
from tests.support import talking_to

ORIGIN = "https://app.test"
ANSWERS = [
    ("GET", "/health/live", 200),
    ("GET", "/nope", 404),
    ("PUT", "/api/v1/posts", 405),
    ("POST", "/api/v1/auth/register", 413),
    ("GET", "/boom", 500),
]


@pytest.fixture
async def browser(plain_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with two front ends."""
    origins = [ORIGIN, "http://localhost:5173"]
    app = create_app(plain_settings.model_copy(update={"cors_origins": origins}))

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError

    async with talking_to(app) as client:
        yield client


async def ask(client: httpx.AsyncClient, origin: str, method: str, *headers: str) -> httpx.Response:
    """Ask for permission, as a browser does before the request itself."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = ", ".join(headers)
    return await client.options("/api/v1/posts", headers=asked)


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:5173"])
@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_a_configured_origin_reads_every_answer(
    browser: httpx.AsyncClient, origin: str, method: str, path: str, status: int
) -> None:
    content = b"x" * 5000 if status == 413 else None
    answer = await browser.request(method, path, content=content, headers={"Origin": origin})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == origin
    assert "Origin" in answer.headers["vary"]
    exposed = answer.headers["access-control-expose-headers"].lower().replace(" ", "").split(",")
    assert {"etag", "link", "location", "retry-after", "x-request-id"} <= set(exposed)
    assert "www-authenticate" in exposed


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "https://app.test.evil.test",
        "https://evil.app.test",
        "https://app.testx",
        "http://app.test",
        "https://app.test:8443",
        "https://app.test/",
        "null",
        "*",
        "",
    ],
)
async def test_another_origin_gets_no_permission(browser: httpx.AsyncClient, origin: str) -> None:
    answers = [
        await browser.get("/health/live", headers={"Origin": origin}),
        await browser.get("/boom", headers={"Origin": origin}),
        await ask(browser, origin, "POST", "Authorization"),
    ]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "Origin" in answer.headers["vary"]  # a cache must not give it to another origin
    assert answers[-1].status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_the_preflight_allows_what_clients_of_the_api_send(
    browser: httpx.AsyncClient, method: str
) -> None:
    names = [
        "Authorization",
        "Content-Type",
        "If-Match",
        "If-None-Match",
        "Idempotency-Key",
        "X-Request-ID",
        "Accept-Language",
    ]
    answer = await ask(browser, ORIGIN, method, *names)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert method in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert all(name.lower() in allowed for name in names)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


async def test_credentials_are_allowed_to_the_origin_itself_never_to_any(
    browser: httpx.AsyncClient,
) -> None:
    for answer in (
        await browser.get("/health/live", headers={"Origin": ORIGIN, "Cookie": "a=b"}),
        await ask(browser, ORIGIN, "POST", "Authorization"),
    ):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "*" not in str(answer.headers)


async def test_without_configured_origins_nobody_is_allowed(plain_settings: Settings) -> None:
    async with talking_to(create_app(plain_settings)) as client:
        read = await client.get("/health/live", headers={"Origin": ORIGIN})
        asked = await ask(client, ORIGIN, "POST")
    assert not [name for name in read.headers if name.startswith("access-control")]
    assert not [name for name in asked.headers if name.startswith("access-control")]
    assert asked.status_code == 405
