"""One call of a plan: what it gets of the request, and of the calls before it."""

from collections.abc import Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import (
    Dependant,
    _get_oauth_scopes,
    _is_async_gen_callable,
    _is_coroutine_callable,
    _is_gen_callable,
)
from fastapi.dependencies.utils import (
    _get_param_aliases,
    _get_param_model,
    get_validation_alias,
    request_params_to_args,
)
from fastapi.security import SecurityScopes

_IMMUTABLE = frozenset({type(None), bool, int, float, str, bytes})


class UnplannedError(Exception):
    """The route or the request needs FastAPI's own way."""


class Step:
    """One call: a dependency, or in the end the endpoint.

    `needed` are the steps before it whose results it needs, by the place of the result, each with
    the name of an argument if it gets it as such. `given` are the arguments that are results, of
    which the first is the request; `reads_more` says whether it gets anything else of that.
    """

    def __init__(
        self, dependant: Dependant, needed: list[tuple[str | None, int]], in_path: Collection[str]
    ) -> None:
        self.call, self.opens_context = _asynchronous(dependant)
        self.needed = needed
        self.body: Any = dependant.body_params[0] if dependant.body_params else None
        names = (dependant.request_param_name, dependant.http_connection_param_name)
        self.given = [(name, 0) for name in names if name]
        self.given += [(name, index) for name, index in needed if name is not None]
        self._scopes_name = dependant.security_scopes_param_name
        self._scopes = _get_oauth_scopes(dependant=dependant)
        self._path = [(field, get_validation_alias(field)) for field in dependant.path_params]
        self._parameters = [
            _Parameters(fields, in_query=fields is dependant.query_params)
            for fields in (dependant.query_params, dependant.header_params)
            if fields
        ]
        self.reads_more = bool(self._scopes_name or self._path or self._parameters or self.body)
        if (
            any(name not in in_path or _get_param_model(field) for field, name in self._path)
            or dependant.cookie_params
            or dependant.response_param_name
            or dependant.background_tasks_param_name
            or dependant.concurrency
        ):
            raise UnplannedError

    def read(self, request: Request, document: object, values: dict[str, Any]) -> list[Any]:
        """Add what it gets of the request beside the request itself: what is wrong with that."""
        errors: list[Any] = []
        if self._scopes_name:
            values[self._scopes_name] = SecurityScopes(self._scopes.copy())
        for field, name in self._path:
            text = request.path_params[name]
            values[field.name] = _valid(field, text, ("path", name), errors)
        for parameters in self._parameters:
            values |= parameters.arguments(request, errors)
        if self.body:
            values[self.body.name] = _valid(self.body, document, ("body",), errors)
        return errors


class _Parameters:
    """The query or header parameters of a call."""

    def __init__(self, fields: Sequence[Any], *, in_query: bool) -> None:
        self._fields = fields
        self._in_query = in_query
        self._names = frozenset(
            name.lower().encode() for field in fields for _, name in _get_param_aliases(field)
        )
        # Where none is sent, these need no search for their values.
        self._models = [field for field in fields if in_query and _is_whole_model(field)]
        constants = [field for field in fields if _has_constant_default(field)]
        self._constants = {field.name: field.default for field in constants}
        self._are_simple = len(self._models) + len(constants) == len(fields)

    def arguments(self, request: Request, errors: list[Any]) -> dict[str, Any]:
        """The arguments; what is wrong with them is added to the errors."""
        if self._are_simple and not self._are_sent(request):
            values = self._constants.copy()
            for field in self._models:
                values[field.name] = _valid(field, {}, ("query",), errors)
            return values
        received = request.query_params if self._in_query else request.headers
        values, found = request_params_to_args(self._fields, received)
        errors += found
        return values

    def _are_sent(self, request: Request) -> bool:
        if self._in_query:
            return bool(request.scope["query_string"])
        return any(name in self._names for name, _ in request.scope["headers"])


def _asynchronous(dependant: Dependant) -> tuple[Callable[..., Any], bool]:
    """What to call and await, and whether that opens a context."""
    call = dependant.call
    # What a decorator has made may seem to be several of these: as in FastAPI, generators first.
    if call and _is_async_gen_callable(call):
        if dependant.scope == "function":
            return asynccontextmanager(call), True
    elif call and _is_coroutine_callable(call) and not _is_gen_callable(call):
        return call, False
    raise UnplannedError


def _is_whole_model(field: Any) -> bool:
    """Whether a parameter is a model, which cannot be left out."""
    return field.field_info.annotation is _get_param_model(field)


def _has_constant_default(field: Any) -> bool:
    info = field.field_info
    return (
        _get_param_model(field) is None
        and not info.validate_default
        and type(info.default) in _IMMUTABLE
    )


def _valid(field: Any, value: object, place: tuple[str, ...], errors: list[Any]) -> Any:
    valid, found = field.validate(value, loc=place)
    if found:
        errors += found
    return valid
