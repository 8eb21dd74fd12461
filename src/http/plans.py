"""A shorter way through FastAPI: what a route calls, worked out once instead of at every request.

FastAPI resolves dependencies anew for each request, which costs several times what a query does. A
`Plan` lists the calls of a route in order, each with the names of its arguments. It covers async
functions, `yield` dependencies with scope="function", path, query and header parameters, one JSON
body, and endpoints that return a Response. For anything else, and for every invalid value, FastAPI
itself answers, so that both ways give the same answers; in that case dependencies run once more.
Without `PlanMiddleware` the application does the same, slower. docs/decisions/reads-and-writes.md
has the figures.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from re import Pattern
from typing import Any, get_type_hints

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.params import File, Form
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from pydantic import BaseModel
from starlette.datastructures import Headers, QueryParams
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.http import json_bodies
from src.http.queries import ignored_parameters, query_names


class UnplannedError(Exception):
    """The route or the request needs FastAPI's own way."""


class _Parameters:
    """The query or header parameters of a call.

    When none is sent, their defaults are at hand, unless one call could change them for the next.
    """

    def __init__(self, fields: Sequence[Any]) -> None:
        self._fields = fields
        self.names = frozenset(field.alias.lower().encode() for field in fields)
        defaults, errors = request_params_to_args(fields, QueryParams())
        self.defaults = defaults if not errors and _are_immutable(defaults.values()) else None

    def parse(self, received: QueryParams | Headers) -> dict[str, Any]:
        values, errors = request_params_to_args(self._fields, received)
        _require(errors)
        return values


class _Step:
    """One call: a dependency, or in the end the endpoint."""

    def __init__(self, call: Callable[..., Any], dependant: Dependant, *, opens: bool) -> None:
        self.call = call
        self.opens_context = opens
        # The names of the arguments that earlier steps gave, and which steps those are.
        self.given: list[tuple[str, int]] = []
        self.constants: dict[str, Any] = {}
        names = (dependant.request_param_name, dependant.http_connection_param_name)
        self._request_names = [name for name in names if name]
        self._path = dependant.path_params
        self._query = _Parameters(dependant.query_params) if dependant.query_params else None
        self._headers = _Parameters(dependant.header_params) if dependant.header_params else None
        self.body = dependant.body_params[0] if dependant.body_params else None

    def arguments(self, request: Request, results: list[Any]) -> dict[str, Any]:
        """All but the body's."""
        values = {name: results[index] for name, index in self.given}
        values.update(self.constants)
        for name in self._request_names:
            values[name] = request
        for parameter in self._path:
            text = request.path_params[parameter.alias]
            value, errors = parameter.validate(text, loc=("path", parameter.alias))
            _require(errors)
            values[parameter.name] = value
        if self._query:
            defaults = None if request.scope["query_string"] else self._query.defaults
            values.update(defaults or self._query.parse(request.query_params))
        if self._headers:
            sent = any(name in self._headers.names for name, _ in request.scope["headers"])
            defaults = None if sent else self._headers.defaults
            values.update(defaults or self._headers.parse(request.headers))
        return values


class Plan:
    """The calls that answer a route."""

    def __init__(self, route: APIRoute) -> None:
        """Work them out.

        Raises:
            UnplannedError: the route needs more than a plan covers.
        """
        returned = get_type_hints(route.endpoint).get("return")
        if not (isinstance(returned, type) and issubclass(returned, Response)):
            raise UnplannedError
        self._steps: list[_Step] = []
        self._add(route.dependant, {})
        self._query_names = query_names(route.dependant)
        self._opens_contexts = any(step.opens_context for step in self._steps)

    async def answer(self, request: Request) -> Response:
        """Make the calls; when this returns, the contexts they opened are closed.

        Raises:
            UnplannedError: a value is not valid; what the calls had begun is undone.
        """
        if request.scope["query_string"]:
            _require(ignored_parameters(request.query_params, self._query_names))
        if not self._opens_contexts:
            return await self._run(request, None)
        async with AsyncExitStack() as stack:
            return await self._run(request, stack)

    async def _run(self, request: Request, stack: AsyncExitStack | None) -> Response:
        results: list[Any] = []
        for step in self._steps:
            arguments = step.arguments(request, results)
            if step.body:
                arguments[step.body.name] = await _parsed_body(step.body, request)
            result = step.call(**arguments)
            if stack and step.opens_context:
                results.append(await stack.enter_async_context(result))
            else:
                results.append(await result)
        response: Response = results[-1]
        return response

    def _add(self, dependant: Dependant, planned: dict[tuple[Any, Sequence[str]], int]) -> int:
        """Append the step of a dependency after those it needs, each once; return its index."""
        call = dependant.call
        scopes = (*(dependant.parent_oauth_scopes or ()), *(dependant.own_oauth_scopes or ()))
        key = (call, scopes if dependant.security_scopes_param_name else ())
        if key in planned:
            return planned[key]
        step = _step(dependant)
        if dependant.security_scopes_param_name:
            step.constants[dependant.security_scopes_param_name] = SecurityScopes(list(scopes))
        for needed in dependant.dependencies:
            index = self._add(needed, planned)
            if needed.name is not None:
                step.given.append((needed.name, index))
        self._steps.append(step)
        planned[key] = len(self._steps) - 1
        return planned[key]


class PlanMiddleware:
    """Answers the planned routes of the routers; everything else goes on to FastAPI.

    So do all requests while `app.dependency_overrides` is in use, and those under a `root_path`.
    """

    def __init__(self, app: ASGIApp, routers: Iterable[APIRouter], prefix: str) -> None:
        self.app = app
        self._prefix = prefix
        # By the first segment after the prefix; unplanned routes too, since the first match counts.
        self._routes: dict[str, list[tuple[Pattern[str], Collection[str], Plan | None]]] = {}
        for router in routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    path, _, _ = compile_path(prefix + route.path)
                    routes = self._routes.setdefault(_segment(route.path), [])
                    routes.append((path, route.methods or (), _plan(route)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        plan = self._find(scope)
        if plan is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await plan.answer(request)
        except UnplannedError:
            await self.app(scope, _replay(request, receive), send)
            return
        except Exception as error:
            handlers = scope["app"].exception_handlers
            known = next((kind for kind in type(error).__mro__ if kind in handlers), None)
            if known is None:
                raise
            response = await handlers[known](request, error)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Plan | None:
        """The plan of the first route that matches; its path parameters go into the scope."""
        if scope["type"] != "http" or scope["root_path"] or scope["app"].dependency_overrides:
            return None
        method, path = scope["method"], scope["path"]
        if not path.startswith(self._prefix):
            return None
        for pattern, methods, plan in self._routes.get(_segment(path[len(self._prefix) :]), ()):
            if method in methods and (found := pattern.match(path)):
                scope["path_params"] = found.groupdict()
                return plan
        return None


def _segment(path: str) -> str:
    """The first segment: `posts` of `/posts/1`."""
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _plan(route: APIRoute) -> Plan | None:
    try:
        return Plan(route)
    except UnplannedError:
        return None


def _step(dependant: Dependant) -> _Step:
    call = dependant.call
    function = call if inspect.isroutine(call) else getattr(call, "__call__", None)  # noqa: B004
    unknown = (
        dependant.cookie_params,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.concurrency,
        len(dependant.body_params) > 1,
        *(not _is_json_model(parameter.field_info) for parameter in dependant.body_params),
    )
    if call is None or any(unknown):
        raise UnplannedError
    if inspect.iscoroutinefunction(function):
        return _Step(call, dependant, opens=False)
    if inspect.isasyncgenfunction(function) and dependant.scope == "function":
        return _Step(asynccontextmanager(call), dependant, opens=True)
    raise UnplannedError


def _is_json_model(body: Any) -> bool:
    annotation = body.annotation
    return (
        not isinstance(body, Form | File)
        and not getattr(body, "embed", None)
        and isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
    )


async def _parsed_body(body: Any, request: Request) -> Any:
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != "application/json":
        raise UnplannedError
    try:
        document = json_bodies.loads(await request.body())
    except orjson.JSONDecodeError:
        raise UnplannedError from None
    value, errors = body.validate(document, loc=("body",))
    _require(errors)
    return value


def _are_immutable(values: Iterable[object]) -> bool:
    try:
        hash(tuple(values))
    except TypeError:
        return False
    return True


def _require(errors: Collection[Any] | None) -> None:
    """Leave it to FastAPI to say what is wrong."""
    if errors:
        raise UnplannedError


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
