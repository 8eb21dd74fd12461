"""Limits, classes, answers and errors of a planned route are FastAPI's; the first match counts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Annotated

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.routing import Host, Match, Mount, Route
from starlette.types import Receive, Scope, Send

from src.config import Settings
from src.http.plans.outcomes import Outcomes
from src.http.plans.plan import Plan
from src.http.plans.step import UnplannedError
from tests.http.both_ways import (
    GET,
    Case,
    Cases,
    RefusedError,
    answer,
    application,
    get,
    post,
    refuse,
    seen,
)
from tests.support import problem_of, talking_to

CASES = Cases()


@pytest.mark.parametrize("case", CASES.all.values(), ids=CASES.all)
async def test_both_ways_give_the_same_answers(case: Case, plain_settings: Settings) -> None:
    await case.compare(plain_settings)


# The size of a body

BODIES = [post("1" * 10), post("1" * 11), post([b"1" * 10]), post([b"1" * 6, b"1" * 5])]


async def tell_document(document: Annotated[int, Body()]) -> Response:
    """An endpoint with a body."""
    return JSONResponse(document)


async def tell_error(request: Request, error: Exception) -> Response:
    """A handler that tells of what, and of which route."""
    return JSONResponse([str(error), request.scope["route"].path])


async def read(request: Request) -> Response:
    """An endpoint that reads the body itself."""
    return Response(await request.body())


@CASES.of(*BODIES, planned=1)
def limits_of_a_route(app: FastAPI) -> None:
    app.post("/x", max_body_size=10)(tell_document)


@CASES.of(*BODIES, planned=1)
def limits_of_a_body_that_the_endpoint_reads(app: FastAPI) -> None:
    app.post("/x", max_body_size=10)(read)


@CASES.of(*BODIES, planned=1)
def limits_of_a_body_that_nobody_reads(app: FastAPI) -> None:
    app.post("/x", max_body_size=10)(answer)


@CASES.of(*BODIES, planned=1)
def limits_of_an_inclusion(app: FastAPI) -> None:
    router = APIRouter()
    router.post("/x")(tell_document)
    app.include_router(router, max_body_size=10)


@CASES.of(*BODIES, planned=1)
def limits_of_a_router(app: FastAPI) -> None:
    router = APIRouter(max_body_size=10)
    router.post("/x")(tell_document)
    app.include_router(router, max_body_size=5)


@CASES.of(*BODIES, planned=1, max_body_size=10)
def limits_of_the_application(app: FastAPI) -> None:
    app.post("/x")(read)


@CASES.of(*BODIES, planned=1, max_body_size=5)
def limits_of_a_route_before_those_of_the_application(app: FastAPI) -> None:
    app.post("/x", max_body_size=10)(read)


@CASES.of(*BODIES, planned=0)
def limits_of_nothing(app: FastAPI) -> None:
    app.post("/x", max_body_size=0)(read)


@CASES.of(*BODIES, planned=1)
def limits_as_a_handler_is_told_of_them(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, tell_error)
    app.add_exception_handler(413, tell_error)
    app.post("/x", max_body_size=10)(tell_document)


@CASES.of(*BODIES, planned=1)
def limits_of_a_body_that_a_task_reads(app: FastAPI) -> None:
    @app.post("/x", max_body_size=10)
    async def endpoint(request: Request) -> Response:
        async with asyncio.TaskGroup() as group:
            body = group.create_task(request.body())
        return Response(body.result())


@CASES.of(post([b"1" * 100_001]), planned=1)
def limits_of_the_server_as_a_handler_is_told_of_them(app: FastAPI) -> None:
    app.add_exception_handler(413, tell_error)
    app.post("/x")(tell_document)


# Classes


class Marked(APIRoute):
    """Marks its answers."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler."""
        handle = super().get_route_handler()

        async def marked(request: Request) -> Response:
            response = await handle(request)
            response.headers["X-Mark"] = "here"
            return response

        return marked


class Greedy(APIRoute):
    """Matches whatever has its length."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it does."""
        return super().matches({**scope, "path": self.path})


class Guarded(APIRouter):
    """Lets nobody through."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse."""
        raise RefusedError


@CASES.of(GET, planned=0)
def classes_of_routes(app: FastAPI) -> None:
    router = APIRouter(route_class=Marked)
    router.get("/x")(answer)
    app.include_router(router)


@CASES.of(GET, get("/y"), planned=1)
def classes_of_routes_that_match_by_themselves(app: FastAPI) -> None:
    app.get("/y")(answer)
    router = APIRouter(route_class=Greedy)
    router.get("/greedy")(refused)
    app.include_router(router)
    app.get("/x")(answer)


@CASES.of(GET, planned=0)
def classes_of_routers(app: FastAPI) -> None:
    router = Guarded()
    router.get("/x")(answer)
    app.include_router(router)


@CASES.of(GET, planned=0)
def classes_of_routers_in_others(app: FastAPI) -> None:
    outer, router = APIRouter(), Guarded()
    router.get("/x")(answer)
    outer.include_router(router)
    app.include_router(outer)


class Catching(APIRouter):
    """Answers everything."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it does."""
        return Match.FULL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await PlainTextResponse("caught")(scope, receive, send)


@CASES.of(GET, planned=0)
def classes_of_routers_without_routes(app: FastAPI) -> None:
    app.include_router(Catching())
    app.get("/x")(answer)


@CASES.of(GET, planned=1, default_response_class=HTMLResponse)
def classes_of_responses(app: FastAPI) -> None:
    app.get("/x", status_code=202, callbacks=APIRouter().routes, deprecated=True)(answer)


def test_an_endpoint_that_fastapi_would_iterate_is_unplanned() -> None:
    app = FastAPI()
    app.get("/x", response_class=EventSourceResponse)(answer)
    *_, context = iter_route_contexts(app.routes)
    with pytest.raises(UnplannedError):
        Plan(context, app, app, Outcomes(app))


# Answers


@CASES.of(GET, get("/file"), get("/missing"), get("/redirect"), get("/stream"), planned=5)
def answers_of_every_class(app: FastAPI) -> None:
    @app.get("/x")
    async def html() -> HTMLResponse:
        return HTMLResponse("<p>", 203, {"X-Mark": "here"})

    @app.get("/file")
    async def file() -> FileResponse:
        return FileResponse(__file__)

    @app.get("/missing")
    async def missing() -> Response:
        return FileResponse("/nowhere")

    @app.get("/redirect")
    async def redirect() -> RedirectResponse:
        return RedirectResponse("/x")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "a"
            yield "b"

        return StreamingResponse(pieces(), media_type="text/plain")


class Failing(Response):
    """Fails before it is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Fail."""
        raise RefusedError


@CASES.of(GET, planned=1)
def answers_that_fail(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint() -> Failing:
        return Failing()


@CASES.of(GET, get("/done"), planned=2)
def answers_with_tasks(app: FastAPI) -> None:
    done: list[str] = []

    async def do() -> None:
        done.append("done")

    @app.get("/x")
    async def endpoint() -> Response:
        return PlainTextResponse("soon", background=BackgroundTask(do))

    @app.get("/done")
    async def tell() -> Response:
        return JSONResponse(done)


@CASES.of(GET, planned=0)
def answers_that_are_not_annotated(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint():  # type: ignore[no-untyped-def]  # noqa: ANN202
        return JSONResponse("answered")


@CASES.of(GET, planned=0)
def answers_in_pieces(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint() -> StreamingResponse:  # type: ignore[misc]
        yield "a"


# Which route answers


async def refused() -> Response:
    """Another endpoint."""
    raise RefusedError


@CASES.of(GET, get("/x/a"), get("/x/b"), ("POST", "/x/a", {}), ("PUT", "/x/a", {}), planned=4)
def routes_of_which_the_first_counts(app: FastAPI) -> None:
    app.get("/x")(answer)
    app.get("/x")(refused)
    app.get("/x/b")(answer)
    app.get("/x/{name}")(refused)
    app.get("/x/a")(answer)
    app.post("/x/a")(answer)


@CASES.of(GET, get("/y"), get("/z/a/b"), get("/z/a"), planned=1)
def routes_after_others(app: FastAPI) -> None:
    @app.get("/y")
    def blocking() -> str:
        return "first"

    @app.get("/z/{rest:path}")
    def rest(rest: str) -> str:
        return rest

    app.get("/y")(refused)
    app.get("/z/a")(refused)
    app.get("/z/a/b")(refused)
    app.get("/x")(answer)


@CASES.of(get("/x/y/z"), GET, planned=1)
def routes_after_a_mount(app: FastAPI) -> None:
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("mounted")(scope, receive, send)

    app.mount("/x/y", mounted)
    app.get("/x/y/z")(refused)
    app.get("/x")(answer)


@CASES.of(get("/y/a/z"), planned=0)
def routes_below_a_mount(app: FastAPI) -> None:
    mounted = FastAPI()

    @mounted.get("/z")
    async def endpoint(request: Request) -> Response:
        return JSONResponse(request.path_params)

    app.get("/x/{name}/z")(answer)
    app.mount("/y/{name}", mounted)
    app.get("/y/a/z")(refused)


@CASES.of(GET, get("/y"), planned=1)
def routes_after_one_of_starlette(app: FastAPI) -> None:
    async def plain(_: Request) -> Response:
        return PlainTextResponse("plain")

    app.router.routes.append(Route("/x", plain))
    app.get("/x")(refused)
    app.get("/y")(answer)


@CASES.of(GET, planned=0)
def routes_after_a_host(app: FastAPI) -> None:
    app.host("plaza.test", PlainTextResponse("host"))
    app.get("/x")(refused)


@CASES.of(GET, planned=1)
def routes_after_a_websocket(app: FastAPI) -> None:
    @app.websocket("/x")
    async def talk(socket: WebSocket) -> None:
        await socket.close()

    app.get("/x")(answer)


@pytest.mark.parametrize("planned", [True, False])
async def test_routes_may_change_after_the_first_request(
    plain_settings: Settings, *, planned: bool
) -> None:
    app, passed = application(plain_settings, planned=planned)
    inner, outer = APIRouter(), APIRouter()
    outer.include_router(inner)
    app.include_router(outer)
    app.get("/{name}")(answer)
    async with talking_to(app) as client:
        for name in "abc":
            assert (await client.get(f"/{name}")).json() == "answered"
        inner.get("/a")(refused)
        app.router.routes.insert(0, APIRoute("/b", refused))
        for name in "ab":
            problem_of(await client.get(f"/{name}"), 403, "refused")
        assert (await client.get("/c")).json() == "answered"
        app.router.routes.pop()
        problem_of(await client.get("/c"), 404, "not_found")
        app.include_router(outer, prefix="/outer")
        problem_of(await client.get("/outer/a"), 403, "refused")
    every = ["/a", "/b", "/c", "/a", "/b", "/c", "/c", "/outer/a"]
    assert passed == (["/c"] if planned else every)


@CASES.of(GET, ("POST", "/x", {}), planned=1)
def routes_for_any_method(app: FastAPI) -> None:
    app.api_route("/x", methods=[], operation_id="any")(answer)
    app.get("/x")(refused)


@CASES.of(GET, planned=0)
def routes_whose_dependencies_another_application_overrides(app: FastAPI) -> None:
    other = FastAPI()
    other.dependency_overrides[refuse] = raising(Odd())
    depends = [Depends(refuse)]
    route = APIRoute("/x", answer, dependencies=depends, dependency_overrides_provider=other)
    app.router.routes.append(route)


# Errors


class Odd(Exception):  # noqa: N818 - an error of nobody's
    """Has a handler of its own."""


def raising(error: Exception) -> Callable[[], Awaitable[Response]]:
    """An endpoint that fails."""

    async def endpoint() -> Response:
        raise error

    return endpoint


@CASES.of(get("/404"), get("/418"), get("/304"), get("/value"), get("/none"), planned=5)
def errors_of_every_kind(app: FastAPI) -> None:
    app.get("/404")(raising(HTTPException(404, headers={"X-Mark": "here"})))
    app.get("/418")(raising(HTTPException(418)))
    app.get("/304")(raising(HTTPException(304)))
    app.get("/value")(raising(RequestValidationError([])))
    app.get("/none")(raising(KeyError()))


@CASES.of(get("/x/a"), planned=1)
def errors_that_say_where_they_were_found(app: FastAPI) -> None:
    async def tell(_: Request, error: Exception) -> Response:
        return PlainTextResponse(str(error))

    app.add_exception_handler(RequestValidationError, tell)
    router = APIRouter(prefix="/x")

    @router.get("/{number}")
    async def endpoint(number: int) -> Response:
        return JSONResponse(number)

    app.include_router(router)


@CASES.of(GET, get("/418"), planned=2)
def errors_with_handlers_that_block_or_go_by_the_status(app: FastAPI) -> None:
    def blocking(_: Request, error: Exception) -> Response:
        return PlainTextResponse(type(error).__name__)

    app.add_exception_handler(Odd, blocking)
    app.add_exception_handler(418, blocking)
    app.get("/x")(raising(Odd()))
    app.get("/418")(raising(HTTPException(418)))


@pytest.mark.parametrize("kind", [500, Exception])
async def test_errors_with_a_handler_of_all_the_rest(
    plain_settings: Settings, kind: int | type[Exception]
) -> None:
    def declare(app: FastAPI) -> None:
        async def handle(request: Request, error: Exception) -> Response:
            return PlainTextResponse(f"{type(error).__name__} at {request.url.path}", 599)

        app.exception_handlers.pop(Exception)
        app.add_exception_handler(kind, handle)
        app.get("/x")(raising(Odd()))

    await Case(declare, (GET,), 1, {}).compare(plain_settings)


@CASES.of(GET, planned=1)
def errors_that_nobody_handles(app: FastAPI) -> None:
    app.exception_handlers.pop(Exception)
    app.get("/x")(raising(Odd()))


@CASES.of(GET, planned=1)
def errors_of_handlers(app: FastAPI) -> None:
    async def refusing(_: Request, __: Exception) -> Response:
        raise RefusedError

    app.add_exception_handler(Odd, refusing)
    app.get("/x")(raising(Odd()))


@CASES.of(post("[1]"), planned=1)
def errors_whose_handler_reads_the_body(app: FastAPI) -> None:
    async def reading(request: Request, _: Exception) -> Response:
        return Response(await request.body())

    app.add_exception_handler(Odd, reading)

    @app.post("/x")
    async def endpoint(document: list[int]) -> Response:
        raise Odd


@CASES.of(GET, post("[1]"), planned=2)
def errors_whose_handler_gets_the_request_that_the_route_has_had(app: FastAPI) -> None:
    async def read(request: Request) -> None:
        async for _ in request.stream():
            pass
        request.mark = "marked"  # type: ignore[attr-defined]

    async def handle(request: Request, _: Exception) -> Response:
        try:
            return Response(await request.body())
        except RuntimeError as error:
            return JSONResponse([str(error), request.mark])  # type: ignore[attr-defined]

    app.add_exception_handler(Odd, handle)
    app.api_route("/x", methods=["GET", "POST"], dependencies=[Depends(read)])(raising(Odd()))


@CASES.of(GET, planned=1)
def errors_that_a_dependency_turns_into_others(app: FastAPI) -> None:
    async def turning() -> AsyncIterator[None]:
        try:
            yield
        except Odd:
            raise RefusedError from None

    app.get("/x", dependencies=[Depends(turning, scope="function")])(raising(Odd()))


@CASES.of(GET, planned=1)
def errors_that_a_dependency_keeps_to_itself(app: FastAPI) -> None:
    async def silencing() -> AsyncIterator[None]:
        with suppress(Odd):
            yield

    async def tell(_: Request, error: Exception) -> Response:
        return PlainTextResponse(type(error).__name__)

    app.add_exception_handler(NameError, tell)
    app.get("/x", dependencies=[Depends(silencing, scope="function")])(raising(Odd()))


@pytest.mark.parametrize("planned", [True, False])
async def test_handlers_are_those_of_the_first_request(
    plain_settings: Settings, *, planned: bool
) -> None:
    app, passed = application(plain_settings, planned=planned)
    app.get("/x")(answer)
    app.get("/y")(raising(Odd()))
    async with talking_to(app) as client:
        await client.get("/x")
        app.add_exception_handler(Odd, lambda _, __: PlainTextResponse("too late"))
        app.debug = True
        problem_of(await client.get("/y"), 500, "internal_error")
    assert passed == ([] if planned else ["/x", "/y"])


@pytest.mark.parametrize("planned", [True, False])
async def test_an_unforeseen_error_is_logged_once(
    plain_settings: Settings, caplog: pytest.LogCaptureFixture, *, planned: bool
) -> None:
    app, passed = application(plain_settings, planned=planned)
    app.get("/x")(raising(Odd("found in the log")))
    async with talking_to(app) as client:
        problem_of(await client.get("/x"), 500, "internal_error")
    [record] = caplog.records
    assert record.exc_info
    assert isinstance(record.exc_info[1], Odd)
    assert passed == ([] if planned else ["/x"])


# What comes another way


@pytest.mark.parametrize("below", ["host", "mount"])
async def test_below_another_application_both_ways_give_the_same_answers(
    plain_settings: Settings, below: str
) -> None:
    answers = []
    for planned in (True, False):
        app, _ = application(plain_settings, planned=planned)

        @app.get("/x/{name}")
        async def endpoint(request: Request) -> Response:
            return JSONResponse([request.path_params, str(request.url_for("endpoint", name="b"))])

        around = Host("{tenant}.test", app) if below == "host" else Mount("/{tenant}", app)
        async with talking_to(Starlette(routes=[around])) as client:
            answers.append(seen(await client.get("/x/a" if below == "host" else "/plaza/x/a")))
    assert answers[0] == answers[1]
    assert "plaza" in str(answers[0])


@pytest.mark.parametrize("found", [{"fastapi.telemetry": None}, {"path_params": {"a": "b"}}])
async def test_what_others_have_begun_is_left_to_fastapi(
    plain_settings: Settings, found: Scope
) -> None:
    """Spans would have no route, and parameters of what is around the application be lost."""
    app, passed = application(plain_settings, planned=True)

    @app.get("/x")
    async def endpoint(request: Request) -> Response:
        return JSONResponse(request.path_params)

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, **found}, receive, send)

    async with talking_to(around) as client:
        assert (await client.get("/x")).json() == found.get("path_params", {})
    assert passed == ["/x"]
