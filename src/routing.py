"""The routers of features, which answer planned routes without FastAPI's general machinery."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from re import Pattern

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from src.plans import Plan, UnplannedError

API_PREFIX = "/api/v1"
_FOUND = "plaza.plan"


@dataclass(frozen=True, slots=True)
class _Planned:
    path: Pattern[str]
    methods: Collection[str]
    plan: Plan | None


class Router(APIRouter):
    """The router of one feature, at `/api/v1` and the feature's own prefix.

    Use it like any APIRouter. Routes that a `Plan` covers are answered by it, unless
    `app.dependency_overrides` is in use.
    """

    def __init__(self, prefix: str, tag: str) -> None:
        super().__init__(prefix=API_PREFIX + prefix, tags=[tag])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find the route; its plan is remembered in the scope for `handle`."""
        if scope["type"] == "http" and not scope["root_path"]:
            method, path = scope["method"], scope["path"]
            if not path.startswith(self.prefix):
                return Match.NONE, {}
            for route in self._planned_routes:
                if method in route.methods and (found := route.path.match(path)):
                    if route.plan is None:
                        break
                    scope[_FOUND] = route.plan
                    scope["path_params"] = found.groupdict()
                    return Match.FULL, {}
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        plan: Plan | None = scope.pop(_FOUND, None)
        if plan is None or scope["app"].dependency_overrides:
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await plan.answer(request)
        except UnplannedError:
            await super().handle(scope, _replay(request, receive), send)
        else:
            await response(scope, receive, send)

    @cached_property
    def _planned_routes(self) -> list[_Planned]:
        return [
            _Planned(route.path_regex, route.methods or (), _plan(route))
            for route in self.routes
            if isinstance(route, APIRoute)
        ]


def _plan(route: APIRoute) -> Plan | None:
    try:
        return Plan(route)
    except UnplannedError:
        return None


def _replay(request: Request, receive: Receive) -> Receive:
    """`receive` for a second reader of the body."""
    if not hasattr(request, "_body"):
        return receive
    received: bytes = request._body  # noqa: SLF001 - there is no public way to ask whether it was read
    body: Message | None = {"type": "http.request", "body": received, "more_body": False}

    async def receive_again() -> Message:
        nonlocal body
        message, body = body, None
        return message or await receive()

    return receive_again
