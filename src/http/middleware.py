"""What surrounds every request: its id, security headers, a size limit, the last resort for errors.

Outermost is `EnvelopeMiddleware`, then CORS where it is configured, then `GuardMiddleware`, so that
a front end on another origin can read the guard's answers too.
"""

import itertools
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from re import Pattern

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.config import Settings
from src.http.problems import answer_with, content_encoded
from src.logs import request_id_variable
from src.validation.settings import validation_settings

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("src.access")

_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
CONTENT_SECURITY_POLICY = (
    b"content-security-policy",
    b"default-src 'none'; frame-ancestors 'none'",
)
SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
_PROCESS = secrets.token_hex(8)
_requests = itertools.count(1)
_CONTENT_LENGTH = re.compile(rb"[0-9]{1,19}")
SMALL_BODY_BYTES = 16 * 1024  # what a route takes that does not say `max_body_size`


class Application(FastAPI):
    """FastAPI with the added middleware around all of it, its own middleware included.

    What that middleware answers itself passes nothing of FastAPI's.
    """

    def build_middleware_stack(self) -> ASGIApp:
        """The middleware around the middleware that FastAPI has in any case."""
        added, self.user_middleware = self.user_middleware, []
        app = super().build_middleware_stack()
        self.user_middleware = added
        for make, arguments, options in reversed(added):
            app = make(app, *arguments, **options)
        return app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. FastAPI's own steps do nothing here while its telemetry is off."""
        if scope["type"] != "http" or self.root_path or self.middleware_stack is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)


class EnvelopeMiddleware:
    """Gives each request an id and completes its response with it and the security headers.

    A trailing slash means the same resource, and HEAD is a GET without the body.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings
        self._public_path = settings.public_path  # once: it is worked out of a URL
        self._access_log = settings.access_log
        self._headers = list(SECURITY_HEADERS)
        if settings.public_url.startswith("https://"):
            others = b"; includeSubDomains" if settings.hsts_include_subdomains else b""
            self._headers.append((b"strict-transport-security", b"max-age=31536000" + others))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_at = time.perf_counter()
        request_id = _request_id(scope["headers"])
        token = request_id_variable.set(request_id)
        held_to = validation_settings.set(self._settings)
        method: str = scope["method"]
        state = scope.setdefault("state", {})  # the request's own (ASGI, lifespan state)
        state["request_id"] = request_id
        state["public_path"] = self._public_path
        state["status"] = 0  # of the answer, once it has begun
        if method == "HEAD":  # the server has to know of it still: it frames the answer
            scope = {**scope, "method": "GET"}
        # Patterns of routes match before a newline at the end, too: let it stay encoded.
        path = scope["path"] = scope["path"].replace("\n", "%0A")
        if len(path) > 1 and path.endswith("/"):
            scope["path"] = path.rstrip("/") or "/"

        def send_completed(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                headers = message["headers"]
                if CONTENT_SECURITY_POLICY[0] not in dict(headers):
                    headers.append(CONTENT_SECURITY_POLICY)
                headers.append((b"x-request-id", request_id.encode()))
                headers += self._headers
            elif method == "HEAD":
                message = {**message, "body": b""}
            return send(message)

        try:
            await self.app(scope, receive, send_completed)
        finally:
            if self._access_log:
                milliseconds = (time.perf_counter() - started_at) * 1000
                access_logger.info("%s %s %d %.1f ms", method, path, state["status"], milliseconds)
            validation_settings.reset(held_to)
            request_id_variable.reset(token)


class GuardMiddleware:
    """Refuses compressed and too large bodies, and answers what nobody else has caught.

    Each of `routes` takes as much as its `max_body_size` says, anything else SMALL_BODY_BYTES,
    and none more than MAX_BODY_BYTES. An unforeseen error is logged with its traceback and answered
    as a bare 500 problem, so that nothing but the request id leaves the process.
    """

    def __init__(self, app: ASGIApp, settings: Settings, routes: Sequence[BaseRoute] = ()) -> None:
        self.app = app
        self._max_body_bytes = settings.max_body_bytes
        self._limits: list[tuple[Pattern[str], Collection[str], int]] = [
            (route.path_regex, route.methods or (), size)
            for route in iter_route_contexts(routes)
            if (size := getattr(route, "max_body_size", None)) is not None
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _is_encoded(scope["headers"]):
            await content_encoded(scope)(scope, receive, send)
            return
        limited = limited_receive(scope, receive, self._maximum)
        if limited is None:
            await answer_with(413, scope)(scope, receive, send)
            return
        try:
            await self.app(scope, limited, send)
        except ClientDisconnect:
            logger.debug("the client went away")
        except Exception:
            logger.exception("unhandled error")
            if not scope["state"]["status"]:
                await answer_with(500, scope)(scope, receive, send)

    def _maximum(self, scope: Scope) -> int:
        for pattern, methods, size in self._limits:
            if scope["method"] in methods and pattern.match(scope["path"]):
                return min(size, self._max_body_bytes)
        return min(SMALL_BODY_BYTES, self._max_body_bytes)


def limited_receive(
    scope: Scope, receive: Receive, maximum: Callable[[Scope], int]
) -> Receive | None:
    """`receive` that stops after so many bytes, or None when the declared length is beyond them.

    It raises `HTTPException` of 413 then.
    """
    declared: int | None = None
    has_body = False
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not _CONTENT_LENGTH.fullmatch(value):
                return None
            declared = int(value)
            has_body = True
        elif name == b"transfer-encoding":
            has_body = True
    if not has_body:
        return receive
    size = maximum(scope)
    if declared is not None and declared > size:
        return None
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > size:
            raise HTTPException(413)
        return message

    return receive_limited


def _is_encoded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            return True
    return False


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's own `X-Request-ID` if it is a sane one, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE_REQUEST_ID.fullmatch(value):
            return value.decode()
    return new_request_id()


def new_request_id() -> str:
    """An id that no other request has."""
    return f"{_PROCESS}-{next(_requests):x}"
