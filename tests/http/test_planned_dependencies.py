"""What guards a route in FastAPI guards it where it is planned, and is called as often."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from typing import Annotated, Any

import anyio.lowlevel
import pytest
from fastapi import (
    APIRouter,
    Body,
    Depends,
    FastAPI,
    Header,
    Query,
    Request,
    Response,
    Security,
)
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import SecurityScopes
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from src.config import Settings
from src.http.json_bodies import refuse_repeated_members
from src.http.queries import refuse_ignored_query
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
)
from tests.support import talking_to

CASES = Cases()
REPEATED = post(b'{"a": 1, "a": 2}')


@pytest.mark.parametrize("case", CASES.all.values(), ids=CASES.all)
async def test_both_ways_give_the_same_answers(case: Case, plain_settings: Settings) -> None:
    await case.compare(plain_settings)


# Where dependencies are given


@CASES.of(GET, planned=1)
def of_an_inclusion(app: FastAPI) -> None:
    router = APIRouter()
    router.get("/x")(answer)
    app.include_router(router, dependencies=[Depends(refuse)])


@CASES.of(GET, planned=1)
def of_an_outer_inclusion(app: FastAPI) -> None:
    inner, outer = APIRouter(), APIRouter()
    inner.get("/x")(answer)
    outer.include_router(inner)
    app.include_router(outer, dependencies=[Depends(refuse)])


@CASES.of(GET, planned=1)
def of_a_router(app: FastAPI) -> None:
    router = APIRouter(dependencies=[Depends(refuse)])
    router.get("/x")(answer)
    app.include_router(router)


@CASES.of(GET, planned=1, dependencies=[Depends(refuse)])
def of_the_application(app: FastAPI) -> None:
    router = APIRouter()
    router.get("/x")(answer)
    app.include_router(router)


@CASES.of(GET, planned=1, dependencies=[Depends(refuse)])
def of_the_application_on_its_own_route(app: FastAPI) -> None:
    app.get("/x")(answer)


@CASES.of(GET, planned=1)
def of_a_route(app: FastAPI) -> None:
    app.get("/x", dependencies=[Depends(refuse)])(answer)


@CASES.of(GET, get("/y"), planned=2)
def of_one_of_two_inclusions(app: FastAPI) -> None:
    router = APIRouter()
    router.get("")(answer)
    app.include_router(router, prefix="/x")
    app.include_router(router, prefix="/y", dependencies=[Depends(refuse)])


@CASES.of(
    get("/x?word=no"),
    get("/x?word=yes"),
    get("/x?word=yes&other=1"),
    get("/x?word=yes&word=yes"),
    GET,
    planned=3,
)
def of_an_inclusion_with_a_parameter(app: FastAPI) -> None:
    async def names_refused(word: str) -> None:
        if word == "no":
            raise RefusedError

    router = APIRouter()
    router.get("/x")(answer)
    guards = [Depends(refuse_ignored_query), Depends(names_refused)]
    app.include_router(router, dependencies=guards)


# Those that plans recognise


@CASES.of(GET, get("/x?y=1"), get("/x?access_token=1"), planned=1)
def ignored_parameters_are_refused(app: FastAPI) -> None:
    app.get("/x", dependencies=[Depends(refuse_ignored_query)])(answer)


@CASES.of(GET, get("/x?y=1&y=2"), planned=1)
def ignored_parameters_are_not_refused(app: FastAPI) -> None:
    app.get("/x")(answer)


def echo_objects(app: FastAPI, *dependencies: Any) -> None:
    """Add a route that gives an object back."""

    @app.post("/x", dependencies=dependencies)
    async def echo(document: dict[str, Any]) -> Response:
        return JSONResponse(document)


@CASES.of(REPEATED, post(b'{"a": ":"}'), planned=1)
def repeated_members_are_refused(app: FastAPI) -> None:
    echo_objects(app, Depends(refuse_repeated_members))


@CASES.of(REPEATED, post(b'{"a": ":"}'), planned=1)
def repeated_members_are_not_refused(app: FastAPI) -> None:
    echo_objects(app)


@CASES.of(GET, get("/x?y=1"), planned=0)
def a_refusal_gives_an_argument(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint(nothing: Annotated[None, Depends(refuse_ignored_query)]) -> Response:
        return JSONResponse(nothing)


@CASES.of(REPEATED, planned=0)
def a_refusal_comes_later(app: FastAPI) -> None:
    async def read(request: Request) -> None:
        await request.json()

    app.post("/x", dependencies=[Depends(read), Depends(refuse_repeated_members)])(answer)


# Scopes


async def inner(required: SecurityScopes) -> list[str]:
    """Refuses one scope."""
    if "refused" in required.scopes:
        raise RefusedError
    return required.scopes


async def outer(found: Annotated[list[str], Security(inner)]) -> list[str]:
    """Asks for no scopes: it hands on those that it is asked for."""
    return found


Granted = Annotated[list[str], Security(outer, scopes=["granted"])]
Refused = Annotated[list[str], Security(outer, scopes=["refused"])]


async def tell(one: Granted) -> Response:
    """An endpoint that asks for one scope."""
    return JSONResponse(one)


@CASES.of(GET, planned=1)
def scopes_granted(app: FastAPI) -> None:
    app.get("/x")(tell)


@CASES.of(GET, planned=1)
def scopes_of_a_second_security(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint(one: Granted, two: Refused) -> Response:
        return JSONResponse([one, two])


@CASES.of(GET, planned=1)
def scopes_of_a_route(app: FastAPI) -> None:
    app.get("/x", dependencies=[Security(outer, scopes=["refused"])])(tell)


@CASES.of(GET, planned=1)
def scopes_of_an_inclusion(app: FastAPI) -> None:
    router = APIRouter()
    router.get("/x")(tell)
    app.include_router(router, dependencies=[Security(outer, scopes=["refused"])])


@CASES.of(GET, GET, planned=2)
def scopes_from_above_that_are_changed(app: FastAPI) -> None:
    async def change(required: SecurityScopes) -> list[str]:
        before = required.scopes.copy()
        required.scopes.append("changed")
        return before

    async def middle(found: Annotated[list[str], Security(change, scopes=["b", "a"])]) -> list[str]:
        return found

    @app.get("/x")
    async def endpoint(
        one: Annotated[list[str], Security(middle, scopes=["c", "b"])],
        two: Annotated[list[str], Security(middle, scopes=["b", "c"])],
        three: Annotated[list[str], Security(middle, scopes=[])],
    ) -> Response:
        return JSONResponse([one, two, three])


# How often


def counter() -> Callable[[], Awaitable[int]]:
    """A dependency that counts its calls."""
    numbers = count(1)

    async def number() -> int:
        return next(numbers)

    return number


@CASES.of(GET, GET, planned=2)
def results_that_are_not_kept(app: FastAPI) -> None:
    number = counter()
    Kept = Annotated[int, Depends(number)]  # noqa: N806 - a type
    Anew = Annotated[int, Depends(number, use_cache=False)]  # noqa: N806

    async def first(found: Anew) -> int:
        return found

    async def second(kept: Kept, anew: Anew) -> list[int]:
        return [kept, anew]

    @app.get("/x")
    async def endpoint(
        one: Annotated[int, Depends(first)],
        two: Annotated[list[int], Depends(second)],
        again: Annotated[int, Depends(first)],
        anew: Anew,
        kept: Kept,
    ) -> Response:
        return JSONResponse([one, two, again, anew, kept])


@CASES.of(GET, planned=1)
def results_by_when_they_end(app: FastAPI) -> None:
    number = counter()

    @app.get("/x")
    async def endpoint(
        one: Annotated[int, Depends(number, scope="function")],
        two: Annotated[int, Depends(number, scope="request")],
        three: Annotated[int, Depends(number)],
    ) -> Response:
        return JSONResponse([one, two, three])


@CASES.of(
    post("{"),
    post('{"a": 1}'),
    post('"a"', "/x?number=a"),
    post('"a"'),
    ("POST", "/x", {}),
    get("/calls"),
    planned=4,
)
def calls_with_invalid_values(app: FastAPI) -> None:
    number = counter()

    @app.post("/x", dependencies=[Depends(number)])
    async def endpoint(name: Annotated[str, Body()], number: int = 0) -> Response:
        return JSONResponse([name, number])

    @app.get("/calls")
    async def calls(found: Annotated[int, Depends(number)]) -> Response:
        return JSONResponse(found)


@CASES.of(get("/x?number=a&word=long"), get("/calls"), planned=2)
def calls_with_several_invalid_values(app: FastAPI) -> None:
    count_calls = counter()

    async def half(number: int) -> int:
        return number // 2

    async def quarter(found: Annotated[int, Depends(half)]) -> int:
        return found // 2

    dependencies = [Depends(quarter), Depends(count_calls)]

    @app.get("/x", dependencies=dependencies)
    async def endpoint(
        one: Annotated[int, Depends(half)],
        word: Annotated[str, Query(max_length=3)],
        other: Annotated[str, Header()],
        two: Annotated[int, Depends(quarter)],
        calls: Annotated[int, Depends(count_calls, use_cache=False)],
    ) -> Response:
        return JSONResponse([one, word, other, two, calls])

    @app.get("/calls")
    async def calls(found: Annotated[int, Depends(count_calls)]) -> Response:
        return JSONResponse(found)


@CASES.of(post("{"), post('"a"'), ("POST", "/x", {"content": b"1"}), post("1"), planned=2)
def refusals_before_a_body(app: FastAPI) -> None:
    @app.post("/x", dependencies=[Depends(refuse)])
    async def endpoint(document: Annotated[int, Body()]) -> Response:
        return JSONResponse(document)


# Callables of every kind


class Called:
    """An object that is called."""

    async def __call__(self, word: str = "called") -> str:
        return word


class Opened:
    """An object whose call opens something."""

    async def __call__(self) -> AsyncIterator[str]:
        yield "opened"


async def add(word: str = "b", *, first: str = "a") -> str:
    """For a partial of it."""
    return first + word


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a decorator makes that is not async itself."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    return wrapper


@CASES.of(GET, get("/x?word=c"), planned=2)
def callables_that_wait(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint(
        one: Annotated[str, Depends(functools.partial(add, first="c"))],
        two: Annotated[str, Depends(Called())],
        three: Annotated[str, Depends(decorated(add))],
        four: Annotated[str, Depends(Opened(), scope="function")],
    ) -> Response:
        return JSONResponse([one, two, three, four])


@CASES.of(get("/1"), get("/2"), get("/3"), planned=0)
def callables_that_a_decorator_has_made_generators(app: FastAPI) -> None:
    @functools.wraps(add)
    async def yielding() -> AsyncIterator[str]:
        yield "b"

    @functools.wraps(add)
    def yielding_on_a_thread() -> Iterator[str]:
        yield "b"

    @app.get("/1")
    async def one(found: Annotated[str, Depends(yielding)]) -> Response:
        return JSONResponse(found)

    @app.get("/2")
    async def two(found: Annotated[str, Depends(yielding_on_a_thread)]) -> Response:
        return JSONResponse(found)

    @app.get("/3")
    async def three(
        found: Annotated[str, Depends(yielding_on_a_thread, scope="function")],
    ) -> Response:
        return JSONResponse(found)


@CASES.of(GET, planned=1)
def callables_as_endpoints(app: FastAPI) -> None:
    app.get("/x")(decorated(answer))


@CASES.of(GET, planned=0)
def callables_that_block(app: FastAPI) -> None:
    class Blocking:
        def __call__(self) -> str:
            return "blocking"

    @app.get("/x")
    async def endpoint(found: Annotated[str, Depends(Blocking())]) -> Response:
        return JSONResponse(found)


@CASES.of(GET, planned=0)
def callables_that_are_classes(app: FastAPI) -> None:
    class Words(BaseModel):
        word: str = "made"

    @app.get("/x")
    async def endpoint(found: Annotated[Words, Depends()]) -> Response:
        return JSONResponse(found.word)


@CASES.of(GET, planned=0)
def callables_that_close_after_the_answer(app: FastAPI) -> None:
    async def opened() -> AsyncIterator[str]:
        yield "opened"

    @app.get("/x")
    async def endpoint(found: Annotated[str, Depends(opened)]) -> Response:
        return JSONResponse(found)


@CASES.of(GET, planned=0)
def callables_that_open_on_a_thread(app: FastAPI) -> None:
    def opened() -> Iterator[str]:
        yield "opened"

    @app.get("/x")
    async def endpoint(found: Annotated[str, Depends(opened, scope="function")]) -> Response:
        return JSONResponse(found)


@CASES.of(GET, planned=0)
def callables_of_which_some_run_at_once(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint(found: Annotated[str, Depends(add, max_concurrency=1)]) -> Response:
        return JSONResponse(found)


# What is cancelled


@pytest.mark.parametrize("planned", [True, False])
async def test_what_a_dependency_closes_is_closed_when_the_request_is_cancelled(
    plain_settings: Settings, *, planned: bool
) -> None:
    app, passed = application(plain_settings, planned=planned)
    events: list[str] = []

    async def opened() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await anyio.lowlevel.checkpoint()
            events.append("closed")

    @app.get("/x", dependencies=[Depends(opened, scope="function")])
    async def endpoint() -> Response:
        events.append("called")
        await anyio.sleep_forever()
        raise AssertionError

    async def impatient(scope: Scope, receive: Receive, send: Send) -> None:
        with anyio.move_on_after(0.05):
            await app(scope, receive, send)
        await PlainTextResponse("too late")(scope, receive, send)

    async with talking_to(impatient) as client:
        assert (await client.get("/x")).text == "too late"
    assert events == ["called", "closed"]
    assert passed == ([] if planned else ["/x"])
