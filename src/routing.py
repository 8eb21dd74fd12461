"""The routers of features, with a short way through FastAPI for routes that only read.

FastAPI matches an included path twice and resolves dependencies anew at every request, which costs
more than the query behind a typical GET. `Router` works out once which functions a GET calls in
which order, and then calls them. Whatever it does not know (bodies, headers, `yield`, threads,
`dependency_overrides`) and every invalid value goes FastAPI's own way, so the answers are the same.
docs/decisions/reads-and-writes.md has the figures.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from re import Pattern
from typing import Any

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

API_PREFIX = "/api/v1"
_FOUND = "plaza.plain_read"


class _NotPlainError(Exception):
    """A dependency needs FastAPI's solver."""


class _InvalidError(Exception):
    """A parameter is not valid: FastAPI words the answer."""


@dataclass(slots=True)
class _Step:
    """One call: a dependency, or in the end the endpoint."""

    call: Callable[..., Awaitable[Any]]
    dependant: Dependant
    # The names of the arguments that earlier steps gave, and which steps those are.
    given: list[tuple[str, int]] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)

    def arguments(self, request: Request, results: list[Any]) -> dict[str, Any]:
        values = {name: results[index] for name, index in self.given}
        values.update(self.constants)
        dependant = self.dependant
        for name in (dependant.request_param_name, dependant.http_connection_param_name):
            if name:
                values[name] = request
        for parameter in dependant.path_params:
            text = request.path_params[parameter.alias]
            values[parameter.name], errors = parameter.validate(text, loc=("path", parameter.alias))
            if errors:
                raise _InvalidError
        if dependant.query_params:
            parsed, errors = request_params_to_args(dependant.query_params, request.query_params)
            if errors:
                raise _InvalidError
            values.update(parsed)
        return values


@dataclass(frozen=True, slots=True)
class _GetRoute:
    """A GET of a router; `steps` is None when only FastAPI can serve it."""

    path: Pattern[str]
    steps: list[_Step] | None


class Router(APIRouter):
    """The router of one feature, at `/api/v1` and the feature's own prefix."""

    def __init__(self, prefix: str, tag: str) -> None:
        super().__init__(prefix=API_PREFIX + prefix, tags=[tag])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find the route; a plain read is remembered in the scope for `handle`."""
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["root_path"]:
            for route in self._get_routes:
                found = route.path.match(scope["path"])
                if found and route.steps:
                    scope[_FOUND] = route.steps
                    scope["path_params"] = found.groupdict()
                    return Match.FULL, {}
                if found:
                    break
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        steps: list[_Step] | None = scope.pop(_FOUND, None)
        if steps and not scope["app"].dependency_overrides:
            request = Request(scope, receive, send)
            results: list[Any] = []
            try:
                for step in steps:
                    results.append(await step.call(**step.arguments(request, results)))
            except _InvalidError:
                pass
            else:
                await results[-1](scope, receive, send)
                return
        await super().handle(scope, receive, send)

    @cached_property
    def _get_routes(self) -> list[_GetRoute]:
        """The GETs in the order of their declaration."""
        return [
            _GetRoute(route.path_regex, _steps(route))
            for route in self.routes
            if isinstance(route, APIRoute) and "GET" in (route.methods or ())
        ]


def _steps(route: APIRoute) -> list[_Step] | None:
    """The calls that answer a route, or None when it needs more than plain async functions."""
    steps: list[_Step] = []
    try:
        _plan(route.dependant, steps, {})
    except _NotPlainError:
        return None
    return steps


def _plan(
    dependant: Dependant,
    steps: list[_Step],
    planned: dict[tuple[Any, tuple[str, ...]], int],
) -> int:
    """Append a dependency's step after those it needs, each once, and return its index."""
    call = dependant.call
    function = call if inspect.isroutine(call) else getattr(call, "__call__", None)  # noqa: B004
    unknown = (
        dependant.header_params,
        dependant.cookie_params,
        dependant.body_params,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.concurrency,
    )
    if call is None or not inspect.iscoroutinefunction(function) or any(unknown):
        raise _NotPlainError
    scopes = (*(dependant.parent_oauth_scopes or ()), *(dependant.own_oauth_scopes or ()))
    key = (call, scopes if dependant.security_scopes_param_name else ())
    if key in planned:
        return planned[key]
    step = _Step(call, dependant)
    if dependant.security_scopes_param_name:
        step.constants[dependant.security_scopes_param_name] = SecurityScopes(list(scopes))
    for needed in dependant.dependencies:
        index = _plan(needed, steps, planned)
        if needed.name is not None:
            step.given.append((needed.name, index))
    steps.append(step)
    planned[key] = len(steps) - 1
    return planned[key]
