"""Which requests a plan answers."""

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
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
_VERSION = attrgetter("_routes_version")  # of an included router: there is no public way to ask


class PlanMiddleware:
    """Answers the planned routes of `api`; everything else goes on to FastAPI.

    So do all requests while `api.dependency_overrides` is in use, those that come to `api` through
    another application, and those that FastAPI's own telemetry observes. The routes are those of
    now, as in FastAPI, and the exception handlers those of the first request.
    """

    def __init__(self, app: ASGIApp, api: FastAPI) -> None:
        self.app = app
        self._api = api
        self._make = partial(Plan, api=api, otherwise=app, outcomes=Outcomes(api))
        self._read_routes()

    def _read_routes(self) -> None:
        self._own = [*self._api.routes]
        self._routers = [*_included(self._own)]
        self._versions = [*map(_VERSION, self._routers)]
        entries: list[_Entry] = []
        for route in self._own:
            routers = [self._api.router, *_included([route])]
            if all(type(router) is APIRouter for router in routers):
                entries += _entries(route, self._make)
            else:  # what classes made from FastAPI's own do is not known
                entries.append(_Entry(_ANYTHING))
        keys = {(method, entry.slashes) for entry in entries for method in entry.methods or ()}
        # By method and number of slashes, the routes to look at in their order: the first counts.
        self._routes = {key: [entry for entry in entries if entry.may_match(*key)] for key in keys}

    def _have_routes_changed(self) -> bool:
        """Whether FastAPI has seen a change of them."""
        versions = [*map(_VERSION, self._routers)]
        return self._own != self._api.routes or versions != self._versions

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        return (self._find(scope) or self.app)(scope, receive, send)

    def _find(self, scope: Scope) -> Plan | None:
        """The plan of the first route that matches; its path parameters go into the scope."""
        if (
            scope["type"] != "http"
            or scope.get("root_path")
            or "router" in scope
            or "path_params" in scope
            or "fastapi.telemetry" in scope
            or self._api.dependency_overrides
        ):
            return None
        if self._have_routes_changed():
            self._read_routes()
        path = scope["path"]
        for entry in self._routes.get((scope["method"], path.count("/")), ()):
            if path.startswith(entry.prefix) and (found := entry.pattern.match(path)):
                if plan := entry.plan:
                    scope["path_params"] = found.groupdict()
                return plan
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


def _entries(route: BaseRoute, make: Callable[[RouteContext], Plan]) -> Iterator[_Entry]:
    for context in iter_route_contexts([route]):
        kind = type(context.original_route)
        if kind in {WebSocketRoute, APIWebSocketRoute}:
            continue
        if kind.matches not in _MATCHES:
            yield _Entry(_ANYTHING)
            continue
        path = str(context.path_format)
        slashes = path.count("/") if has_fixed_slashes(context) else None
        prefix = path.partition("{")[0]
        yield _Entry(context.path_regex, prefix, context.methods, slashes, partial(make, context))


def _included(routes: Iterable[BaseRoute]) -> Iterator[APIRouter]:
    """The routers that are among routes, and those in these."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield router
            yield from _included(router.routes)
