"""How the outcome of a route becomes an answer: what FastAPI has around a route."""

from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class Outcomes:
    """The exception handlers of an application as they are now: FastAPI takes in no later ones."""

    def __init__(self, api: FastAPI) -> None:
        self._handlers: dict[Any, Any] = {}
        self._last_handler = None
        for kind, handler in api.exception_handlers.items():
            if kind in {500, Exception}:
                self._last_handler = handler
            else:
                self._handlers[kind] = handler
        self._debug = api.debug

    def answer(self, request: Request, outcome: ASGIApp | Exception) -> ASGIApp:
        """Answers an error, or sends a response that may still raise one.

        As in FastAPI, a handler gets the request that the route has had, and an error of that
        handler is handled too.
        """

        async def around_route(scope: Scope, receive: Receive, send: Send) -> None:
            handled = wrap_app_handling_exceptions(partial(_finish, outcome), request)
            await handled(scope, receive, send)

        around_routes = ExceptionMiddleware(around_route, self._handlers)
        return ServerErrorMiddleware(around_routes, self._last_handler, debug=self._debug)


async def _finish(outcome: ASGIApp | Exception, scope: Scope, receive: Receive, send: Send) -> None:
    if isinstance(outcome, Exception):
        raise outcome
    await outcome(scope, receive, send)
