"""Every error is a problem document (RFC 9457), and says nothing about our inside."""

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

from src.config import Settings
from src.exceptions import AppError, InvalidInputError, OverloadedError
from tests.support import problem_of, small_app, talking_to

JSON = {"Content-Type": "application/json"}


class TeapotError(AppError):
    """A domain error with everything that one may have."""

    status = 418
    code = "teapot"
    title = "I am a teapot"


class Answer(BaseModel):
    """What an endpoint promises."""

    number: Annotated[int, Field(ge=0)]


@pytest.fixture
def broken_app(plain_settings: Settings) -> FastAPI:
    """An application whose endpoints fail, each in its way."""
    app = small_app(plain_settings)

    @app.get("/raises/{kind}")
    async def raises(kind: str) -> None:
        errors: dict[str, Exception] = {
            "runtime": RuntimeError("the inner secret"),
            "key": KeyError("the inner secret"),
            "recursion": RecursionError("the inner secret"),
            "group": ExceptionGroup("the inner secret", [ValueError("the inner secret")]),
            "timeout": TimeoutError("the inner secret"),
            "connection": ConnectionResetError("the inner secret"),
            "http": HTTPException(451, "the inner secret"),
            "teapot": TeapotError(
                "Short and stout", headers={"Retry-After": "7"}, handle=True, spout=["here"]
            ),
            "invalid": InvalidInputError.at("body", "a", type="number_too_large", max=3),
            "overloaded": OverloadedError(3),
        }
        raise errors[kind]

    @app.get("/breaks-its-promise", response_model=Answer)
    async def breaks_its_promise() -> dict[str, str]:
        return {"number": "the inner secret"}

    @app.get("/answers")
    async def answers() -> Response:
        return Response("fine")

    return app


@pytest.fixture
async def broken(broken_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Its client."""
    async with talking_to(broken_app) as client:
        yield client


RESEND = "/api/v1/auth/email/resend"
REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nope", {}, 404, "not_found"),
    ("GET", "/api/v1/nope", {}, 404, "not_found"),
    ("GET", "/docs/static/none.js", {}, 404, "not_found"),
    ("GET", "/api/v1/posts/none", {}, 404, "not_found"),
    ("PUT", "/api/v1/posts", {}, 405, "method_not_allowed"),
    ("POST", "/docs", {}, 405, "method_not_allowed"),
    ("GET", "/api/v1/users/me", {}, 401, "not_authenticated"),
    (
        "GET",
        "/api/v1/users/me",
        {"headers": {"Authorization": "Bearer x"}},
        401,
        "invalid_access_token",
    ),
    ("GET", "/api/v1/posts?limit=0", {}, 422, "validation_error"),
    ("POST", RESEND, {"json": {}}, 422, "validation_error"),
    ("POST", RESEND, {"content": b"{", "headers": JSON}, 422, "validation_error"),
    ("POST", RESEND, {"content": b"\xff\xfe{", "headers": JSON}, 400, "bad_request"),
    ("POST", RESEND, {"content": b"x" * 1_048_577}, 413, "content_too_large"),
    ("POST", "/api/v1/auth/token", {"data": {}}, 400, "invalid_request"),
]


async def test_the_application_answers_with_problems(
    client: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    for method, url, content, status, code in REFUSED:
        with subtests.test(f"{method} {url} {code}"):
            answer = await client.request(method, url, **content)
            problem = problem_of(answer, status, code)
            assert problem["instance"] == url.split("?")[0]
            assert answer.headers["cache-control"] == "no-store"


async def test_405_names_every_method_of_the_resource(client: httpx.AsyncClient) -> None:
    for path, methods in {
        "/api/v1/posts": {"GET", "HEAD", "POST"},
        "/api/v1/users/me": {"GET", "HEAD", "PATCH"},
        "/health/live": {"GET", "HEAD"},
    }.items():
        answer = await client.put(path)
        problem_of(answer, 405, "method_not_allowed")
        assert methods <= {method.strip() for method in answer.headers["allow"].split(",")}, path


# Those of the network too: only what talks to the database may call them its outage.
@pytest.mark.parametrize("kind", ["runtime", "key", "recursion", "group", "timeout", "connection"])
async def test_a_defect_is_a_bare_500_and_its_traceback_is_logged(
    broken: httpx.AsyncClient, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await broken.get(f"/raises/{kind}")
    problem = problem_of(answer, 500, "internal_error")
    assert set(problem) == {"type", "title", "status", "instance", "code", "request_id"}
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info
    assert "the inner secret" in str(record.exc_info[1])


async def test_a_broken_promise_is_a_bare_500(broken: httpx.AsyncClient) -> None:
    answer = await broken.get("/breaks-its-promise")
    problem_of(answer, 500, "internal_error")
    assert "secret" not in answer.text


async def test_after_a_defect_the_next_request_is_served(broken: httpx.AsyncClient) -> None:
    await broken.get("/raises/runtime")
    assert (await broken.get("/answers")).text == "fine"


async def test_a_domain_error_carries_its_detail_headers_and_fields(
    broken: httpx.AsyncClient,
) -> None:
    answer = await broken.get("/raises/teapot")
    problem = problem_of(answer, 418, "teapot")
    assert problem["title"] == "I am a teapot"
    assert problem["detail"] == "Short and stout"
    assert problem["handle"] is True
    assert problem["spout"] == ["here"]
    assert answer.headers["retry-after"] == "7"


async def test_an_invalid_value_found_by_a_rule_looks_like_any_other(
    broken: httpx.AsyncClient,
) -> None:
    problem = problem_of(await broken.get("/raises/invalid"), 422, "validation_error")
    assert problem["errors"] == [
        {"loc": ["body", "a"], "msg": "At most 3", "type": "number_too_large"}
    ]


async def test_an_overload_says_when_to_try_again(broken: httpx.AsyncClient) -> None:
    answer = await broken.get("/raises/overloaded")
    problem_of(answer, 503, "overloaded")
    assert answer.headers["retry-after"] == "3"


async def test_any_http_exception_is_a_problem_without_its_detail(
    broken: httpx.AsyncClient,
) -> None:
    answer = await broken.get("/raises/http")
    problem_of(answer, 451, "unavailable_for_legal_reasons")
    assert "secret" not in answer.text
