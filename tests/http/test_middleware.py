"""What every response carries, whatever happened, and what the path may look like."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware

from src.config import Settings
from src.http.plans.middleware import PlanMiddleware
from src.main import create_app
from tests.http.protocol.raw_http import converse, port_of, serving, statuses
from tests.support import Accounts, problem_of, small_app, talking_to

OUR_OWN = re.compile("[0-9a-f]{16}-[0-9a-f]+")
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


@pytest.fixture
def bare_app(plain_settings: Settings) -> FastAPI:
    """The whole application, not started: good for what needs no database."""
    app = create_app(plain_settings)

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError

    return app


@pytest.fixture
async def bare(bare_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Its client."""
    async with talking_to(bare_app) as client:
        yield client


@pytest.mark.parametrize("given", ["a", "A-b_c.d:e", "0" * 64])
async def test_a_sane_request_id_comes_back(bare: httpx.AsyncClient, given: str) -> None:
    for path in ("/health/live", "/nope", "/boom"):
        answer = await bare.get(path, headers={"X-Request-ID": given})
        assert answer.headers.get_list("x-request-id") == [given]
        if path != "/health/live":
            assert answer.json()["request_id"] == given


@pytest.mark.parametrize(
    "given", [b"", b"a b", b"0" * 65, b"\xff", b"<script>", b"a\r\nSet-Cookie: a=b", b"a,b", b"\0"]
)
async def test_another_request_id_is_replaced(bare: httpx.AsyncClient, given: bytes) -> None:
    answer = await bare.get("/nope", headers=[(b"X-Request-ID", given)])
    [request_id] = answer.headers.get_list("x-request-id")
    assert OUR_OWN.fullmatch(request_id)
    assert answer.json()["request_id"] == request_id


async def test_two_requests_have_two_ids(bare: httpx.AsyncClient) -> None:
    first, second = await bare.get("/health/live"), await bare.get("/health/live")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("GET", "/docs", 200),
        ("GET", "/redoc", 200),
        ("GET", "/docs/swagger.js", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/dev/mailbox", 200),
        ("GET", "/nope", 404),
        ("GET", "/docs/static/nope", 404),
        ("PUT", "/api/v1/posts", 405),
        ("POST", "/api/v1/auth/register", 413),
        ("GET", "/boom", 500),
    ],
)
async def test_every_response_has_the_security_headers(
    bare: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    content = b"x" * 5000 if status == 413 else None
    answer = await bare.request(method, path, content=content)
    assert answer.status_code == status
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers.get_list(name) == [value]
    [policy] = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


async def test_only_an_https_address_asks_for_https(plain_settings: Settings) -> None:
    settings = plain_settings.model_copy(update={"public_url": "https://plaza.test"})
    async with talking_to(small_app(settings)) as client:
        header = (await client.get("/nope")).headers["strict-transport-security"]
    assert header == "max-age=31536000"


async def test_the_hosts_below_ask_for_https_only_if_a_setting_says_so(
    plain_settings: Settings,
) -> None:
    update = {"public_url": "https://plaza.test", "hsts_include_subdomains": True}
    async with talking_to(small_app(plain_settings.model_copy(update=update))) as client:
        header = (await client.get("/nope")).headers["strict-transport-security"]
    assert header == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("slashes", ["/", "//"])
async def test_a_trailing_slash_means_the_same_resource(
    client: httpx.AsyncClient, accounts: Accounts, slashes: str
) -> None:
    ann = await accounts.sign_in("ann")
    post = {"title": "A post", "body": "x"}
    created = await client.post(f"/api/v1/posts{slashes}", json=post, headers=ann.headers)
    assert created.status_code == 201
    path = created.headers["location"]
    assert path == f"/api/v1/posts/{created.json()['id']}"
    read = await client.get(path + slashes, headers=ann.headers)
    assert read.json() == created.json()
    patched = await client.patch(path + slashes, json={"title": "B"}, headers=ann.headers)
    assert patched.json()["title"] == "B"
    for other in ("/api/v1/posts", "/api/v1/users/me", "/api/v1/users/ann", "/health/live"):
        plain = await client.get(other, headers=ann.headers)
        slashed = await client.get(other + slashes, headers=ann.headers)
        assert (slashed.status_code, slashed.content) == (200, plain.content)
    assert (await client.get(f"/docs{slashes}")).status_code == 200
    problem_of(await client.get(f"/nope{slashes}"), 404, "not_found")


async def test_slashes_lead_to_the_root_and_to_no_other_host(bare: httpx.AsyncClient) -> None:
    for path in ("/", "//"):
        assert (await bare.get(path)).status_code == 200
    problem_of(await bare.get("///evil.test//"), 404, "not_found")


@pytest.mark.parametrize("path", ["/health/live", "/docs", "/openapi.json", "/nope", "/boom"])
async def test_head_is_get_without_the_body(bare: httpx.AsyncClient, path: str) -> None:
    got, head = await bare.get(path), await bare.head(path)
    assert head.content == b""
    assert head.status_code == got.status_code
    varying = {"x-request-id", "date"}
    assert {name: value for name, value in head.headers.items() if name not in varying} == {
        name: value for name, value in got.headers.items() if name not in varying
    }


async def test_the_server_knows_of_head(bare_app: FastAPI) -> None:
    """It frames the answer: what it takes for one to a GET has to have its body."""
    ask = "%s /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with serving(bare_app) as server:
        answers = [
            await converse(port_of(server), (ask % method).encode()) for method in ("GET", "HEAD")
        ]
    got, head = (answer.partition(b"\r\n\r\n") for answer in answers)
    assert statuses(b"".join(answers)) == [404, 404]
    assert got[2]
    assert head[2] == b""
    assert f"content-length: {len(got[2])}".encode() in head[0].split(b"\r\n")


async def test_middleware_is_around_that_of_fastapi(plain_settings: Settings) -> None:
    app = create_app(plain_settings)
    layer: Any = app.build_middleware_stack()
    layers = []
    while layer is not app.router:
        layers.append(type(layer))
        layer = layer.app
    added: list[Any] = [middleware.cls for middleware in app.user_middleware]
    assert layers[: len(added)] == added
    assert added[-1] is PlanMiddleware
    assert ServerErrorMiddleware in layers[len(added) :]
