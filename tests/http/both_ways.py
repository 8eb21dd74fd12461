"""Small applications with plans and without, and whether their answers differ."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from src.config import Settings
from src.exceptions import AppError
from src.http import problems
from src.http.middleware import Application, EnvelopeMiddleware, GuardMiddleware
from src.http.plans.middleware import PlanMiddleware
from tests.support import talking_to

Asked = tuple[str, str, dict[str, Any]]
GET: Asked = ("GET", "/x", {})


class RefusedError(AppError):
    """Any refusal."""

    status = 403
    code = "refused"


def get(url: str, headers: Mapping[str, str] | None = None) -> Asked:
    """A request without a body."""
    return "GET", url, {"headers": headers}


def post(content: object, url: str = "/x") -> Asked:
    """A request with a JSON document, in pieces if it is a list."""
    return "POST", url, {"content": content, "headers": {"Content-Type": "application/json"}}


async def answer() -> Response:
    """An endpoint that needs nothing."""
    return JSONResponse("answered")


async def refuse() -> None:
    """A guard that lets nobody through."""
    raise RefusedError


def application(settings: Settings, *, planned: bool, **options: Any) -> tuple[FastAPI, list[str]]:
    """An application without routes, and the paths that will have gone on to FastAPI."""
    app = Application(redirect_slashes=False, **options)
    problems.install(app)
    passed: list[str] = []
    app.add_middleware(_Notes, passed=passed)
    if planned:
        app.add_middleware(PlanMiddleware, api=app)
    app.add_middleware(GuardMiddleware, settings=settings)  # it leaves limits of routes to them
    app.add_middleware(EnvelopeMiddleware, settings=settings)
    return app, passed


class _Notes:
    """Notes what passes."""

    def __init__(self, app: ASGIApp, passed: list[str]) -> None:
        self.app = app
        self._passed = passed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._passed.append(scope["path"])
        await self.app(scope, receive, send)


class Declare(Protocol):
    """A function that adds routes to an application."""

    __name__: str

    def __call__(self, app: FastAPI) -> None:
        """Add them."""


@dataclass(frozen=True, slots=True)
class Case:
    """Routes, requests for them, how many of these are planned, and options of the application."""

    declare: Declare
    requests: tuple[Asked, ...]
    planned: int
    options: dict[str, Any]

    async def compare(self, settings: Settings) -> None:
        """Ask both ways."""
        settings = settings.model_copy(update={"max_body_bytes": 100_000})
        ours, passed = application(settings, planned=True, **self.options)
        theirs, _ = application(settings, planned=False, **self.options)
        self.declare(ours)
        self.declare(theirs)
        async with talking_to(ours) as client, talking_to(theirs) as other:
            for request in self.requests:
                answer = await _ask(client, request)
                print(request, answer.status_code, passed)  # noqa: T201 - for pytest to show
                assert seen(answer) == seen(await _ask(other, request))
        assert len(self.requests) - len(passed) == self.planned


@dataclass(slots=True)
class Cases:
    """The cases of a module, by their names."""

    all: dict[str, Case] = field(default_factory=dict)

    def of(self, *requests: Asked, planned: int, **options: Any) -> Callable[[Declare], Declare]:
        """Make a function that declares routes a case."""

        def register(declare: Declare) -> Declare:
            self.all[declare.__name__] = Case(declare, requests, planned, options)
            return declare

        return register


async def _ask(client: httpx.AsyncClient, request: Asked) -> httpx.Response:
    method, url, content = request
    if isinstance(content.get("content"), list):
        content = content | {"content": _stream(content["content"])}
    return await client.request(method, url, **content)


async def _stream(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def seen(answer: httpx.Response) -> tuple[int, object, object]:
    """What a client sees, but for the request's id."""
    own = {"x-request-id", "allow"}
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    body: object = answer.content
    if answer.headers.get("content-type") == "application/problem+json":
        body = {name: value for name, value in answer.json().items() if name != "request_id"}
        headers.pop("content-length", None)
    return answer.status_code, headers, body
