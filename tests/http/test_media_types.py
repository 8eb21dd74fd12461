"""415: a body that is not JSON where JSON is read, or that is compressed (RFC 9110, 15.5.16)."""

import gzip
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi.routing import APIRoute

from src.config import Settings
from src.main import API_PREFIX, API_ROUTERS
from src.schemas import Input
from tests.openapi.test_document import sample
from tests.support import PASSWORD, Account, Accounts, problem_of, small_app, talking_to

CODE = "unsupported_media_type"
JSON_ROUTES = [
    (method, sample(API_PREFIX + route.path))
    for router in API_ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and route.body_field
    for method in route.methods or ()
]
# Where a form is read: its faults are RFC 6749's.
FORM_ROUTES = [
    f"{API_PREFIX}/auth/{name}" for name in ("token", "revoke", "introspect", "web/login")
]
OTHERS = [
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json-seq",
    "text/json",
    "/",
    "",
    None,
]


class Thing(Input):
    """A body."""

    name: str


@pytest.fixture
async def things(plain_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that takes things."""
    app = small_app(plain_settings)

    @app.post("/things")
    async def create(thing: Thing) -> str:
        return thing.name

    @app.post("/optional")
    async def optional(thing: Thing | None = None) -> str:
        return thing.name if thing else "nothing"

    async with talking_to(app) as client:
        yield client


def typed(content_type: str | None) -> dict[str, str]:
    """The header, or none."""
    return {} if content_type is None else {"Content-Type": content_type}


@pytest.fixture
async def root(accounts: Accounts) -> Account:
    """An administrator."""
    await accounts.add("root", roles=("admin",))
    return await accounts.sign_in("root")


@pytest.mark.parametrize("content_type", OTHERS)
async def test_another_media_type_is_not_read_as_json(
    things: httpx.AsyncClient, content_type: str | None
) -> None:
    for path in ("/things", "/optional"):
        answer = await things.post(path, content=b'{"name": "a"}', headers=typed(content_type))
        problem = problem_of(answer, 415, CODE)
        assert "application/json" in problem["detail"]
        assert answer.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/merge-patch+json",
    ],
)
async def test_every_kind_of_json_is_taken(things: httpx.AsyncClient, content_type: str) -> None:
    answer = await things.post("/things", content=b'{"name": "a"}', headers=typed(content_type))
    assert answer.json() == "a"


@pytest.mark.parametrize("content_type", OTHERS)
async def test_no_body_has_no_media_type(
    things: httpx.AsyncClient, content_type: str | None
) -> None:
    answer = await things.post("/optional", headers=typed(content_type))
    assert answer.json() == "nothing"
    problem_of(await things.post("/things", headers=typed(content_type)), 422, "validation_error")


async def test_every_route_that_reads_json_says_so(
    client: httpx.AsyncClient, root: Account, subtests: pytest.Subtests
) -> None:
    assert len(JSON_ROUTES) > 15
    content = json.dumps({"name": "a"}).encode()
    for method, path in JSON_ROUTES:
        for content_type in ("text/plain", "application/x-www-form-urlencoded", None):
            with subtests.test(f"{method} {path} {content_type}"):
                headers = root.headers | typed(content_type)
                answer = await client.request(method, path, content=content, headers=headers)
                problem_of(answer, 415, CODE)


async def test_a_compressed_body_is_refused_everywhere(
    client: httpx.AsyncClient, root: Account, subtests: pytest.Subtests
) -> None:
    content = gzip.compress(b'{"name": "a"}')
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for method, path in [*JSON_ROUTES, *(("POST", path) for path in FORM_ROUTES)]:
        for coding in ("gzip", "br", "x-gzip", "deflate, gzip", "identity, gzip", "GZIP"):
            with subtests.test(f"{method} {path} {coding}"):
                kind = form if path in FORM_ROUTES else {"Content-Type": "application/json"}
                headers = root.headers | kind | {"Content-Encoding": coding}
                answer = await client.request(method, path, content=content, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (415, CODE)
                assert answer.headers["accept-encoding"] == "identity"


async def test_a_second_content_encoding_is_seen_too(client: httpx.AsyncClient) -> None:
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "identity"),
        ("Content-Encoding", "gzip"),
    ]
    answer = await client.post("/api/v1/auth/email/resend", content=b"x", headers=headers)
    problem_of(answer, 415, CODE)


@pytest.mark.parametrize("coding", ["identity", "Identity", " identity ", ""])
async def test_identity_is_no_coding(client: httpx.AsyncClient, coding: str) -> None:
    headers = {"Content-Encoding": coding}
    email = {"email": "ann@x.test"}
    answer = await client.post("/api/v1/auth/email/resend", json=email, headers=headers)
    assert answer.status_code == 202


async def test_a_form_endpoint_answers_json_with_its_own_error(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    answer = await client.post("/api/v1/auth/token", json={"username": "ann", "password": PASSWORD})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_signing_out_needs_no_body(client: httpx.AsyncClient, accounts: Accounts) -> None:
    ann = await accounts.sign_in("ann")
    assert (await client.post("/api/v1/auth/logout", headers=ann.headers)).status_code == 204
