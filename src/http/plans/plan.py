"""All calls of a route."""

from contextlib import AsyncExitStack
from typing import Any

import orjson
from anyio import CancelScope
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import _asynccontextmanager_with_shielded_exit
from fastapi.dependencies.models import Dependant, _get_cache_key
from fastapi.dependencies.utils import (
    _get_flat_body_params,
    _should_embed_body_fields,
    get_typed_return_annotation,
)
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.routing import APIRoute, RouteContext, _extract_endpoint_context
from fastapi.sse import EventSourceResponse
from starlette.convertors import StringConvertor
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.http import json_bodies
from src.http.middleware import limited_receive
from src.http.plans.outcomes import Outcomes
from src.http.plans.step import Step, UnplannedError
from src.http.queries import ignored_parameters, query_names, refuse_ignored_query

# Dependencies that are not called, if they come first: what they would refuse is left to FastAPI.
_REFUSALS = frozenset({refuse_ignored_query, json_bodies.refuse_repeated_members})


class Plan:
    """The calls that answer a route, as an ASGI application."""

    def __init__(
        self, context: RouteContext, api: FastAPI, otherwise: ASGIApp, outcomes: Outcomes
    ) -> None:
        """Work them out; `otherwise` answers what a plan does not read.

        Raises:
            UnplannedError: the route needs more than a plan covers.
        """
        route = context.original_route
        if type(route) is not APIRoute:
            raise UnplannedError
        dependant = context.dependant
        bodies = _get_flat_body_params(dependant)
        if (
            not _is_class(get_typed_return_annotation(route.endpoint), Response)
            or _is_class(context.response_class, EventSourceResponse)
            or not has_fixed_slashes(context)
            or len(bodies) > 1
            or any(isinstance(field.field_info, Form) for field in bodies)
            or _should_embed_body_fields(bodies)
            or context.dependency_overrides_provider not in (None, api)
        ):
            raise UnplannedError
        self._in_path = context.param_convertors.keys()
        self._steps: list[Step] = []
        self._add(dependant, self._add_needed(dependant, {}))
        if self._steps[-1].opens_context:
            raise UnplannedError
        self._reads_body = any(step.body for step in self._steps)
        self._opens_contexts = any(step.opens_context for step in self._steps)
        self._query_names = query_names(dependant)
        self._scope = {"router": api.router, "endpoint": route.endpoint, "route": route}
        self._otherwise = otherwise
        self._outcomes = outcomes
        self._path = dependant.path
        self._max_body_size: int | None = context.max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if (size := self._max_body_size) is not None:
            limited = limited_receive(scope, receive, lambda _: size)
            if limited is None or _is_of_unknown_length(scope):
                await self._otherwise(scope, receive, send)
                return
            receive = limited
        request = Request(scope, receive, send)
        try:
            if scope["query_string"] and ignored_parameters(
                request.query_params, self._query_names
            ):
                raise UnplannedError
            scope.update(self._scope)
            document = await _document(request) if self._reads_body else None
            if self._opens_contexts:
                with CancelScope() as closing:  # as FastAPI lets nothing cancel what closes
                    async with AsyncExitStack() as stack:
                        response = await self._call(request, document, (stack, closing))
            else:
                response = await self._call(request, document, None)
            simple = type(response).__call__ is Response.__call__
        except UnplannedError:
            answer, receive = self._otherwise, _replay(request, receive)
        except Exception as error:  # noqa: BLE001 - raised again if nobody handles it
            answer = self._outcomes.answer(request, error)
        else:
            answer = response if simple else self._outcomes.answer(request, response)
        await answer(scope, receive, send)

    async def _call(
        self,
        request: Request,
        document: object,
        contexts: tuple[AsyncExitStack, CancelScope] | None,
    ) -> Any:
        """Make the calls.

        As in FastAPI, what lacks a valid value is not called, nor what needs that, but the rest.
        """
        results: list[Any] = [request]
        invalid: dict[int, list[Any]] = {}
        for step in self._steps:
            values: dict[str, Any] = {}
            for name, index in step.given:  # in Python 3.11, a comprehension is a call
                values[name] = results[index]
            errors = step.read(request, document, values) if step.reads_more else []
            if invalid:
                errors = [one for _, i in step.needed for one in invalid.get(i, ())] + errors
            if errors:
                invalid[len(results)] = errors
                results.append(None)
                continue
            called = step.call(**values)
            if contexts and step.opens_context:
                stack, closing = contexts
                shielded = _asynccontextmanager_with_shielded_exit(called, closing)
                called = stack.enter_async_context(shielded)
            results.append(await called)
        if invalid:
            endpoint = _extract_endpoint_context(self._scope["endpoint"]).copy()
            endpoint["path"] = f"{request.method} {self._path}"
            errors = invalid[len(results) - 1]
            raise RequestValidationError(errors, body=document, endpoint_ctx=endpoint)
        return results[-1]

    def _add_needed(
        self, dependant: Dependant, known: dict[Any, int]
    ) -> list[tuple[str | None, int]]:
        """Add the steps of what a call needs.

        This follows `fastapi.dependencies.utils.solve_dependencies`, which goes through all that a
        dependency needs even if its own result is known.
        """
        needed = []
        for dependency in dependant.dependencies:
            if dependency.call in _REFUSALS:
                if self._steps or dependency.name is not None:
                    raise UnplannedError
                continue
            needed_by_it = self._add_needed(dependency, known)
            key = _get_cache_key(dependant=dependency)
            index = known.get(key) if dependency.use_cache else None
            if index is None:
                index = self._add(dependency, needed_by_it)
            known.setdefault(key, index)
            needed.append((dependency.name, index))
        return needed

    def _add(self, dependant: Dependant, needed: list[tuple[str | None, int]]) -> int:
        self._steps.append(Step(dependant, needed, self._in_path))
        return len(self._steps)


def has_fixed_slashes(context: RouteContext) -> bool:
    """Whether each path parameter is one segment of the path, as it is written."""
    return all(type(one) is StringConvertor for one in context.param_convertors.values())


def _is_class(value: object, base: type) -> bool:
    return isinstance(value, type) and issubclass(value, base)


async def _document(request: Request) -> Any:
    """The JSON document of the body, as FastAPI reads it."""
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != "application/json":
        raise UnplannedError
    try:
        body = await request.body()
    except HTTPException:
        raise
    except Exception as error:
        raise HTTPException(400, "There was an error parsing the body") from error
    try:
        document = json_bodies.loads(body)
    except (orjson.JSONDecodeError, json_bodies.RepeatedMemberError, HTTPException):
        raise UnplannedError from None
    request._json = document  # noqa: SLF001 - who asks for it gets the one that is validated
    return document


def _is_of_unknown_length(scope: Scope) -> bool:
    """Whether the body has to be counted while it is read, which FastAPI does in its own way."""
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


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
