"""No body beyond the limit of its route is read, declared or not."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Request

from src.config import Settings
from src.http.middleware import SMALL_BODY_BYTES
from tests.support import Accounts, problem_of, small_app, talking_to

LIMIT = 2048  # plain_settings


@pytest.fixture
async def reader(plain_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that counts the bytes of a body."""
    app = small_app(plain_settings)

    @app.post("/count")
    async def count(request: Request) -> int:
        return len(await request.body())

    @app.post("/json")
    async def parse(body: list[int]) -> int:
        return len(body)

    async with talking_to(app) as client:
        yield client


async def pieces(size: int) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for _ in range(size // 256):
        yield b"x" * 256
    yield b"x" * (size % 256)


@pytest.mark.parametrize("size", [0, 1, LIMIT])
async def test_a_body_within_the_limit_is_read(reader: httpx.AsyncClient, size: int) -> None:
    assert (await reader.post("/count", content=b"x" * size)).json() == size
    assert (await reader.post("/count", content=pieces(size))).json() == size


@pytest.mark.parametrize("path", ["/count", "/json", "/none"])
async def test_a_declared_length_beyond_it_is_refused_unread(
    reader: httpx.AsyncClient, path: str
) -> None:
    read: list[bytes] = []

    async def watched() -> AsyncIterator[bytes]:
        read.append(b"x")
        yield read[-1]

    headers = {"Content-Length": str(LIMIT + 1)}
    answer = await reader.post(path, content=watched(), headers=headers)
    problem_of(answer, 413, "content_too_large")
    assert read == []


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/count", "text/plain"),
        ("/json", "application/json"),
    ],
)
async def test_an_undeclared_length_is_read_up_to_it(
    reader: httpx.AsyncClient, path: str, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    answer = await reader.post(path, content=pieces(LIMIT * 20), headers=headers)
    problem_of(answer, 413, "content_too_large")


@pytest.mark.parametrize("length", ["9" * 30, "0" * 5000, "9" * 5000, "-1", "abc", "1e3", "", "²"])
async def test_a_hostile_length_is_the_callers_fault(
    reader: httpx.AsyncClient, length: str
) -> None:
    headers = [(b"Content-Length", length.encode("latin-1", "replace"))]
    answer = await reader.post("/count", content=pieces(10), headers=headers)
    assert answer.status_code in {400, 413}
    problem_of(answer, answer.status_code, answer.json()["code"])


async def test_a_length_of_zero_does_not_hide_a_chunked_body(reader: httpx.AsyncClient) -> None:
    headers = [("Transfer-Encoding", "chunked"), ("Content-Length", "0")]
    answer = await reader.post("/count", content=pieces(LIMIT * 20), headers=headers)
    problem_of(answer, 413, "content_too_large")


@pytest.mark.parametrize(
    "path", ["/api/v1/auth/register", "/api/v1/auth/token", "/health/live", "/nowhere"]
)
async def test_a_route_takes_a_small_body_unless_it_says_otherwise(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path, content=b"x" * (SMALL_BODY_BYTES + 1))
    problem_of(answer, 413, "content_too_large")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/api/v1/auth/register", "application/json"),
        ("/api/v1/auth/token", "application/x-www-form-urlencoded"),
    ],
)
async def test_a_small_body_of_undeclared_length_is_read_up_to_its_limit(
    client: httpx.AsyncClient, path: str, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    answer = await client.post(path, content=pieces(SMALL_BODY_BYTES + 1), headers=headers)
    problem_of(answer, 413, "content_too_large")


async def test_a_route_takes_what_the_inclusion_of_its_router_says(
    plain_settings: Settings,
) -> None:
    largest = SMALL_BODY_BYTES * 2
    app = small_app(plain_settings.model_copy(update={"max_body_bytes": largest}))
    router = APIRouter()

    @router.post("")
    async def count(request: Request) -> int:
        return len(await request.body())

    for size in (0, 10, SMALL_BODY_BYTES + 1, largest):
        app.include_router(router, prefix=f"/{size}", max_body_size=size)
    async with talking_to(app) as client:
        for size in (0, 10, SMALL_BODY_BYTES + 1, largest):
            for content in (b"x" * size, pieces(size)):
                assert (await client.post(f"/{size}", content=content)).json() == size
            for content in (b"x" * (size + 1), pieces(size + 1)):
                answer = await client.post(f"/{size}", content=content)
                problem_of(answer, 413, "content_too_large")


async def test_the_longest_values_fit_into_the_limits_of_their_routes(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    headers = ann.headers | {"Content-Type": "application/json"}
    bio = json.dumps({"bio": "🙂" * 2000})
    assert (await client.patch("/api/v1/users/me", content=bio, headers=headers)).is_success
    post = json.dumps({"title": "ж" * 200, "body": "ж" * 100_000, "summary": "ж" * 500})
    created = await client.post("/api/v1/posts", content=post, headers=headers)
    assert created.status_code == 201
    path = created.headers["location"]
    assert (await client.patch(path, content=post, headers=headers)).is_success
    for answer in (
        await client.patch("/api/v1/users/me", content=bio * 2, headers=headers),
        await client.post("/api/v1/posts", content=post * 2, headers=headers),
    ):
        problem_of(answer, 413, "content_too_large")
