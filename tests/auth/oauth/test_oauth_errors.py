"""Errors of OAuth's endpoints: plain JSON (RFC 6749, section 5.2), whoever answers."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from src.auth.sign_in.service import SignInService
from src.config import Settings
from src.exceptions import OverloadedError
from src.http.problems import OAUTH_ENDPOINTS
from src.main import create_app
from tests.auth.support import change
from tests.support import PASSWORD, Accounts, FrozenClock, talking_to

TOKEN = "/api/v1/auth/token"
GUESS = {"username": "ann", "password": PASSWORD}
MEMBERS = {"type", "title", "status", "instance", "code", "request_id", "error"}
ERRORS = {429: "temporarily_unavailable", 500: "server_error", 503: "temporarily_unavailable"}
FAULTS: list[tuple[str, dict[str, Any], int, str]] = [
    ("POST", {}, 400, "invalid_request"),
    ("POST", {"json": GUESS}, 400, "invalid_request"),
    ("POST", {"data": GUESS, "headers": {"Authorization": "Basic eDp5"}}, 401, "invalid_client"),
    ("GET", {}, 405, "method_not_allowed"),
    ("POST", {"content": b"x" * 1_100_000}, 413, "content_too_large"),
    (
        "POST",
        {"data": GUESS, "headers": {"Content-Encoding": "gzip"}},
        415,
        "unsupported_media_type",
    ),
]


def told(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error, as OAuth's clients read it, with all that a problem document has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, Any] = answer.json()
    assert document.keys() >= MEMBERS
    assert document["code"] == code
    if not code.startswith("invalid_"):
        assert document["error"] == ERRORS.get(status, "invalid_request")
    return document


@pytest.mark.parametrize("path", OAUTH_ENDPOINTS)
async def test_a_fault_of_the_request_is_plain_json(
    client: httpx.AsyncClient, path: str, subtests: pytest.Subtests
) -> None:
    for method, content, status, code in FAULTS:
        with subtests.test(f"{method} {code}"):
            document = told(await client.request(method, path, **content), status, code)
            assert status not in {400, 401} or document["error"] == code


async def test_wrong_credentials_are_plain_json(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    wrong = GUESS | {"password": "wrong"}
    document = told(await client.post(TOKEN, data=wrong), 400, "invalid_grant")
    assert document["error"] == "invalid_grant"
    assert document["error_description"]


async def test_too_many_requests_are_told_in_plain_json(
    settings: Settings, clock: FrozenClock
) -> None:
    limited = settings.model_copy(update={"rate_limit_enabled": True, "rate_limit": "1/minute"})
    async with talking_to(create_app(limited, clock)) as client:
        await client.get("/nope")
        for path in OAUTH_ENDPOINTS:
            answer = await client.post(path)
            told(answer, 429, "rate_limited")
            assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [(OverloadedError(), 503, "overloaded"), (RuntimeError(), 500, "internal_error")],
)
async def test_our_own_failures_are_plain_json(
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    status: int,
    code: str,
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(SignInService, "with_form", fail)
    told(await client.post(TOKEN, data=GUESS), status, code)


async def test_a_failure_of_the_database_is_plain_json(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    await change(app, text("ALTER TABLE oauth_clients RENAME TO missing"))
    for path in OAUTH_ENDPOINTS:
        form = {"client_id": "x", "client_secret": "y", "token": "z"}
        told(await client.post(path, data=GUESS | form), 500, "internal_error")
