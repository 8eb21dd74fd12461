"""Every error as a problem document (RFC 9457)."""

import logging
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from re import Pattern
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Scope

from src.addresses.public_path import path_of
from src.exceptions import (
    AppError,
    ConflictError,
    ContentTooLargeError,
    DatabaseUnavailableError,
    InternalError,
    InvalidInputError,
    MalformedRequestError,
    MethodNotAllowedError,
    NotFoundError,
    OverloadedError,
    UnsupportedMediaTypeError,
)
from src.locales import DEFAULT_LOCALE, Locale, locale_of
from src.validation.invalid_values import FieldError, InvalidValue, translated

logger = logging.getLogger(__name__)

MAX_REPORTED_ERRORS = 20
MAX_REPORTED_LENGTH = 200
# Their clients read the errors of RFC 6749, section 5.2, in application/json alone.
OAUTH_ENDPOINTS = ("/api/v1/auth/token", "/api/v1/auth/revoke", "/api/v1/auth/introspect")
# Their `error` where nothing better is known; `invalid_request` of all else.
_OAUTH_ERRORS = {
    429: "temporarily_unavailable",
    500: "server_error",
    503: "temporarily_unavailable",
}

_BY_STATUS = {
    kind.status: kind
    for kind in (
        MalformedRequestError,
        NotFoundError,
        MethodNotAllowedError,
        ContentTooLargeError,
        InternalError,
    )
}


def problem(
    request_id: str,
    path: str,
    status: int,
    code: str,
    title: str,
    *,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    fields: Mapping[str, object] | None = None,
    locale: Locale = DEFAULT_LOCALE,
) -> Response:
    """A problem document (RFC 9457) with our `code` and `request_id`.

    OAuth's endpoints give it as plain JSON and with an `error`, also where nobody has got as far as
    their code.
    """
    of_oauth = path.endswith(OAUTH_ENDPOINTS)
    body: dict[str, object] = {
        "type": f"urn:plaza:problem:{code}",
        "title": translated(title, locale),
        "status": status,
    }
    if detail:
        body["detail"] = detail
    body |= {"instance": path, "code": code, "request_id": request_id}
    if of_oauth:
        body["error"] = _OAUTH_ERRORS.get(status, "invalid_request")
    body |= fields or {}
    return Response(
        orjson.dumps(body),
        status,
        {
            "Cache-Control": "no-store",
            "Content-Language": locale,
            "Vary": "Accept-Language",
            **(headers or {}),
        },
        "application/json" if of_oauth else "application/problem+json",
    )


def answer_with(status: int, scope: Scope) -> Response:
    """The problem document of a status that says it all."""
    return answer_to(_BY_STATUS[status](), scope)


def content_encoded(scope: Scope) -> Response:
    """The answer to a body in a content coding: none is decoded, so that none can blow up."""
    error = UnsupportedMediaTypeError(
        "Send the body without Content-Encoding", headers={"Accept-Encoding": "identity"}
    )
    return answer_to(error, scope)


def answer_to(error: AppError, scope: Scope) -> Response:
    """The problem document of an error, in the language of the request."""
    locale = locale_of(scope)
    fields = error.fields
    if isinstance(error, InvalidInputError):
        fields = fields | {"errors": [_told(value, locale) for value in error.errors]}
    return problem(
        scope["state"]["request_id"],
        _printable(path_of(scope)),
        error.status,
        error.code,
        error.title,
        detail=error.detail,
        headers=error.headers,
        fields=fields,
        locale=locale,
    )


def _told(value: InvalidValue, locale: Locale) -> FieldError:
    return {
        "loc": [_printable(part) if isinstance(part, str) else part for part in value.loc],
        "msg": value.message(locale),
        "type": value.type,
    }


def _respond(request: Request, error: AppError) -> Response:
    return answer_to(error, request.scope)


async def _handle_app_error(request: Request, error: AppError) -> Response:
    return _respond(request, error)


async def _handle_http_exception(request: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_known_methods(request)))
    if known := _BY_STATUS.get(status):
        return _respond(request, known(headers=headers))
    return problem(
        request.state.request_id,
        _printable(path_of(request.scope)),
        status,
        status.name.lower(),
        status.phrase,
        headers=headers,
        locale=locale_of(request.scope),
    )


def _known_methods(request: Request) -> set[str]:
    """The methods of every route at the request's path (RFC 9110, section 15.5.6)."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path and _pattern(route.path).match(request.scope["path"]):
            methods |= route.methods or set()
    return methods | {"HEAD"} if "GET" in methods else methods


async def _handle_validation_error(request: Request, error: RequestValidationError) -> Response:
    if isinstance(error.body, bytes):  # FastAPI has parsed application/json and application/…+json
        return _respond(
            request,
            UnsupportedMediaTypeError(
                "Send JSON with Content-Type: application/json",
                headers={"Accept": "application/json"},
            ),
        )
    found = error.errors()[:MAX_REPORTED_ERRORS]
    errors = [InvalidValue.of_pydantic(item) for item in found]
    return _respond(request, InvalidInputError(errors=errors))


async def _handle_database_error(request: Request, error: Exception) -> Response:
    """Map what PostgreSQL refused: conflicts are the caller's, an absent server is a 503."""
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
    match cause:
        case asyncpg.IntegrityConstraintViolationError(constraint_name=str(name)):
            return _respond(request, ConflictError.by_constraint.get(name, ConflictError)())
        case asyncpg.DataError() | asyncpg.ProgramLimitExceededError():
            return _respond(request, InvalidInputError("A value is outside what can be stored"))
        case asyncpg.SerializationError() | asyncpg.DeadlockDetectedError():
            return _respond(request, ConflictError("Two requests collided: try again"))
        case (
            asyncpg.QueryCanceledError()
            | asyncpg.LockNotAvailableError()
            | asyncpg.InvalidCachedStatementError()  # a migration changed a table meanwhile
        ):
            return _respond(request, OverloadedError())
        case (
            asyncpg.PostgresConnectionError()
            | asyncpg.OperatorInterventionError()
            | asyncpg.InsufficientResourcesError()
            | asyncpg.ReadOnlySQLTransactionError()  # a standby by now, or its disk is full
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()  # the connection was cut off in mid-conversation
        ):
            return await _handle_outage(request, DatabaseUnavailableError(type(cause).__name__))
    raise error


async def _handle_outage(request: Request, error: DatabaseUnavailableError) -> Response:
    logger.warning("database unavailable: %s", error.reason)
    return _respond(request, error)


async def _handle_pool_timeout(request: Request, _: PoolTimeoutError) -> Response:
    return _respond(request, OverloadedError())


async def _handle_unforeseen(request: Request, _: Exception) -> Response:
    """The answer only: Starlette raises the error again, for the middleware to log it."""
    return answer_with(500, request.scope)


@cache
def _pattern(path: str) -> Pattern[str]:
    return compile_path(path)[0]


def _printable(text: str) -> str:
    """What a caller sent, cut short and without what UTF-8 cannot carry."""
    return text[:MAX_REPORTED_LENGTH].encode("utf-8", "replace").decode()


def install(app: FastAPI) -> None:
    """Answer every kind of error with a problem document."""
    handlers: dict[type[Exception], Any] = {
        AppError: _handle_app_error,
        DatabaseUnavailableError: _handle_outage,
        HTTPException: _handle_http_exception,
        RequestValidationError: _handle_validation_error,
        PoolTimeoutError: _handle_pool_timeout,
        DBAPIError: _handle_database_error,
        asyncpg.PostgresError: _handle_database_error,
        asyncpg.InterfaceError: _handle_database_error,
        asyncpg.InternalClientError: _handle_database_error,
        Exception: _handle_unforeseen,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
