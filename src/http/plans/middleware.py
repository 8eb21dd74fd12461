"""Which requests a plan answers."""

import re
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from re import Pattern

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from src.http.plans.outcomes import Outcomes
from src.http.plans.plan import Plan, has_fixed_slashes
from src.http.plans.step import UnplannedError

_MATCHES = frozenset({APIRoute.matches, Route.matches, Mount.matches})  # by what they say of paths
_ANYTHING = re.compile("")


class PlanMiddleware:
    """Answers the planned routes of `api`; everything else goes on to FastAPI.

    So do all requests while `api.dependency_overrides` is in use, those that come to `api` through
    another application, and those that FastAPI's own telemetry observes.
    """

    def __init__(self, app: ASGIApp, api: FastAPI) -> None:
        self.app = app
        self._api = api
        make = partial(Plan, api=api, otherwise=app, outcomes=Outcomes(api))
        entries = [
            _entry(context, make) if _is_plain(api.router, route) else _Entry(_ANYTHING)
            for route in api.routes
            for context in iter_route_contexts([route])
            if type(context.original_route) not in {WebSocketRoute, APIWebSocketRoute}
        ]
        keys = {(method, entry.slashes) for entry in entries for method in entry.methods or ()}
        # By method and number of slashes, the routes to look at in their order: the first counts.
        self._routes = {key: [entry for entry in entries if entry.may_match(*key)] for key in keys}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        return (self._find(scope) or self.app)(scope, receive, send)

    def _find(self, scope: Scope) -> Plan | None:
        """The plan of the first route that matches; its path parameters go into the scope."""
        if (
            scope["type"] != "http"
            or scope.get("root_path")
            or "router" in scope
            or "fastapi.telemetry" in scope
            or self._api.dependency_overrides
        ):
            return None
        path = scope["path"]
        for entry in self._routes.get((scope["method"], path.count("/")), ()):
            if path.startswith(entry.prefix) and (found := entry.pattern.match(path)):
                scope["path_params"] = found.groupdict()
                return entry.plan
        return None


@dataclass
class _Entry:
    """A route as it is looked for; None stands for any methods, or any number of slashes.

    Its paths begin with the prefix: to look at that first is quicker.
    """

    pattern: Pattern[str]
    prefix: str = ""
    methods: Collection[str] | None = None
    slashes: int | None = None
    make: Callable[[], Plan] | None = None

    @cached_property
    def plan(self) -> Plan | None:
        """Its plan, worked out at its first request."""
        with suppress(UnplannedError):
            return self.make() if self.make else None
        return None

    def may_match(self, method: str, slashes: int | None) -> bool:
        """Whether the path has to be looked at."""
        return (not self.methods or method in self.methods) and self.slashes in {None, slashes}


def _entry(context: RouteContext, make: Callable[[RouteContext], Plan]) -> _Entry:
    if type(context.original_route).matches not in _MATCHES:
        return _Entry(_ANYTHING)
    path = str(context.path_format)
    slashes = path.count("/") if has_fixed_slashes(context) else None
    prefix = path.partition("{")[0]
    return _Entry(context.path_regex, prefix, context.methods, slashes, partial(make, context))


def _is_plain(router: APIRouter, route: BaseRoute) -> bool:
    """Whether FastAPI's own routers, and no classes made from them, lead to a route."""
    included = getattr(route, "original_router", None)
    return type(router) is APIRouter and (
        included is None or all(_is_plain(included, inner) for inner in included.routes)
    )
