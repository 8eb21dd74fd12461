"""Parameters and bodies are read on a planned route as FastAPI reads them."""

from contextvars import ContextVar
from itertools import count
from typing import Annotated, Any

import pytest
from fastapi import (
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    Path,
    Query,
    Request,
    Response,
)
from fastapi.dependencies import utils
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from starlette.types import Message, Receive, Scope, Send

from src.config import Settings
from src.http.plans.outcomes import Outcomes
from src.http.plans.plan import Plan
from src.http.plans.step import UnplannedError
from tests.http.both_ways import GET, Case, Cases, application, get, post
from tests.support import problem_of, talking_to

CASES = Cases()


@pytest.mark.parametrize("case", CASES.all.values(), ids=CASES.all)
async def test_both_ways_give_the_same_answers(case: Case, plain_settings: Settings) -> None:
    await case.compare(plain_settings)


class Thing(BaseModel):
    """An object."""

    name: str


# The path


@CASES.of(get("/x/1"), get("/x/a"), get("/x/1/2"), get("/x/1%0A"), planned=3)
def path_parameters(app: FastAPI) -> None:
    @app.get("/x/{number}")
    async def endpoint(number: Annotated[int, Path(ge=0)]) -> Response:
        return JSONResponse(number)


@CASES.of(get("/x/1"), get("/x/a"), get("/y/a/b"), planned=0)
def path_parameters_that_are_converted(app: FastAPI) -> None:
    @app.get("/x/{number:int}")
    async def endpoint(request: Request) -> Response:
        return JSONResponse([request.path_params])

    @app.get("/y/{path:path}")
    async def rest(path: str) -> Response:
        return JSONResponse(path)


@CASES.of(get("/x/1"), planned=1)
def path_parameters_by_another_name(app: FastAPI) -> None:
    @app.get("/x/{number}")
    async def endpoint(other: Annotated[int, Path(alias="number")]) -> Response:
        return JSONResponse(other)


@CASES.of(get("/x/1"), planned=0)
def path_parameters_that_are_not_in_the_path(app: FastAPI) -> None:
    @app.get("/x/{number}")
    async def endpoint(number: Annotated[int, Path(alias="other")]) -> Response:
        return JSONResponse(number)


@CASES.of(get("/x/1"), planned=0)
def path_parameters_of_a_model(app: FastAPI) -> None:
    class Numbers(BaseModel):
        number: int

    @app.get("/x/{number}")
    async def endpoint(found: Annotated[Numbers, Path(alias="number")]) -> Response:
        return JSONResponse(found.number)


@CASES.of(get("/x/1"), planned=1)
def path_parameters_of_a_dependency(app: FastAPI) -> None:
    async def double(number: int) -> int:
        return 2 * number

    @app.get("/x/{number}")
    async def endpoint(number: str, doubled: Annotated[int, Depends(double)]) -> Response:
        return JSONResponse([number, doubled])


# The query


@CASES.of(GET, GET, get("/x?word=a"), planned=3)
def query_parameters_made_anew(app: FastAPI) -> None:
    numbers = count(1)

    class Numbers(BaseModel):
        model_config = ConfigDict(frozen=True)

        number: int = Field(default_factory=numbers.__next__)

    @app.get("/x")
    async def endpoint(
        numbered: Annotated[Numbers, Query()],
        word: str = "a",
        other: int = Query(default_factory=numbers.__next__),  # noqa: FAST002 - with a default
    ) -> Response:
        return JSONResponse([numbered.number, word, other])


@CASES.of(GET, GET, planned=2)
def query_parameters_put_in_by_a_validator(app: FastAPI) -> None:
    numbers = count(1)

    class Numbers(BaseModel):
        number: int

        @model_validator(mode="before")
        @classmethod
        def _number(cls, data: dict[str, object]) -> dict[str, object]:
            return {"number": next(numbers)} | data

    @app.get("/x")
    async def endpoint(which: Annotated[Numbers, Query()]) -> Response:
        return JSONResponse(which.number)


@CASES.of(GET, GET, get("/x?words=a&words=b"), planned=2)
def query_parameters_that_change(app: FastAPI) -> None:
    class Words(BaseModel):
        more: list[str] = ["first"]

    @app.get("/x")
    async def endpoint(
        which: Annotated[Words, Query()],
        words: Annotated[list[str], Query()] = ["first"],  # noqa: B006
    ) -> Response:
        which.more.append("more")
        words.append("more")
        return JSONResponse([which.more, words])


@CASES.of(GET, get("/x?word=a"), get("/x?word=a&unknown=1"), planned=2)
def query_parameters_of_a_model_that_may_be_left_out(app: FastAPI) -> None:
    class Words(BaseModel):
        word: str = "none"

    @app.get("/x")
    async def endpoint(which: Annotated[Words | None, Query()] = None) -> Response:
        return JSONResponse(which and which.word)


@CASES.of(GET, get("/x?a=1"), get("/x?b=1"), get("/x?c=1"), get("/x?word=1"), planned=4)
def query_parameters_by_other_names(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint(
        word: Annotated[str, Query(validation_alias=AliasChoices("a", "b"))] = "none",
        other: Annotated[str, Query(validation_alias="c")] = "none",
    ) -> Response:
        return JSONResponse([word, other])


@CASES.of(GET, get("/x?number=1"), planned=2)
def query_parameters_whose_default_is_not_valid(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint(number: Annotated[int, Query(validate_default=True)] = "x") -> Response:  # type: ignore[assignment]
        return JSONResponse(number)


# Headers


@CASES.of(
    GET,
    get("/x", {"X-Word": "a"}),
    get("/x", {"x_word": "a"}),
    get("/x", {"First": "a"}),
    get("/x", {"Second": "a"}),
    get("/x", {"literal_name": "a"}),
    planned=6,
)
def header_parameters_by_other_names(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint(
        x_word: Annotated[str, Header()] = "none",
        word: Annotated[str, Header(validation_alias=AliasChoices("First", "Second"))] = "none",
        literal_name: Annotated[str, Header(convert_underscores=False)] = "none",
    ) -> Response:
        return JSONResponse([x_word, word, literal_name])


@CASES.of(GET, get("/x", {"X-Word": "a"}), get("/x", {"X-Word": "abc"}), planned=3)
def header_parameters_of_a_model(app: FastAPI) -> None:
    class Words(BaseModel):
        model_config = ConfigDict(frozen=True)

        x_word: Annotated[str, Field(max_length=2)] = "none"

    @app.get("/x")
    async def endpoint(which: Annotated[Words, Header()]) -> Response:
        return JSONResponse(which.x_word)


@CASES.of(GET, planned=1)
def header_parameters_of_a_model_that_forbids_others(app: FastAPI) -> None:
    class Words(BaseModel):
        model_config = ConfigDict(extra="forbid")

        x_word: str = "none"

    @app.get("/x")
    async def endpoint(which: Annotated[Words, Header()]) -> Response:
        return JSONResponse(which.x_word)


@CASES.of(GET, planned=1)
def header_parameters_of_a_model_that_takes_all(app: FastAPI) -> None:
    class Words(BaseModel):
        model_config = ConfigDict(extra="allow")

        x_word: str = "none"

    @app.get("/x")
    async def endpoint(which: Annotated[Words | None, Header()] = None) -> Response:
        return JSONResponse(which and which.model_dump())


@CASES.of(get("/x", {"Cookie": "word=a"}), GET, planned=0)
def cookies(app: FastAPI) -> None:
    @app.get("/x")
    async def endpoint(word: Annotated[str, Cookie()] = "none") -> Response:
        return JSONResponse(word)


# What FastAPI gives a call


@CASES.of(GET, planned=1)
def connections_and_requests(app: FastAPI) -> None:
    async def path(connection: HTTPConnection) -> str:
        return str(connection.url.path)

    @app.get("/x", name="named")
    async def endpoint(request: Request, found: Annotated[str, Depends(path)]) -> Response:
        scope = request.scope
        known = [scope["route"].name, scope["endpoint"].__name__, scope["path_params"]]
        return JSONResponse([found, *known, str(request.url_for("named"))])


@CASES.of(GET, planned=0)
def headers_of_a_response_to_be(app: FastAPI) -> None:
    async def mark(response: Response) -> None:
        response.headers["X-Mark"] = "here"

    @app.get("/x", dependencies=[Depends(mark)])
    async def endpoint() -> Response:
        return JSONResponse("unmarked, as in FastAPI")


@CASES.of(GET, get("/done"), planned=1)
def tasks_in_the_background(app: FastAPI) -> None:
    done: list[str] = []

    @app.get("/x")
    async def endpoint(tasks: BackgroundTasks) -> Response:
        tasks.add_task(done.append, "done")
        return JSONResponse("soon")

    @app.get("/done")
    async def tell() -> Response:
        return JSONResponse(done)


# The body

NUMBERS = b'{"small": 1, "long": %b, "negative": -%b, "real": 1e30, "list": [%b]}'


@CASES.of(
    post(NUMBERS % ((b"9" * 30,) * 3)),
    post(NUMBERS % ((str(2**64 - 1).encode(),) * 3)),
    post(b'{"a": %b}' % (b"9" * 400)),
    post(b'{"a": %b}' % (b"9" * 5000)),
    post(b'{"a": [1e400, NaN, -Infinity]}'),
    post(b'{"a": [-0, -0.0, 1E2, 0.1, 9007199254740993]}'),
    post(b'{"a": "\\ud83d\\ude00 \xf0\x9f\x98\x80"}'),
    post(b'{"a": "\\ud83d"}'),
    post(b'{"a": {"b": [], "b": {}}}'),
    post(b'{"a": ' * 400 + b"1" + b"}" * 400),
    post(b'{"a": ' * 2000 + b"1" + b"}" * 2000),
    post(b'{"b": ":", "a": ' + b'{"a": ' * 1020 + b"1" + b"}" * 1021),
    post(b" \n{}\t"),
    planned=6,
)
def bodies_of_any_json(app: FastAPI) -> None:
    @app.post("/x")
    async def endpoint(document: dict[str, Any]) -> Response:
        return Response(repr(document))


@CASES.of(post('[{"name": "a"}]'), post('{"name": "a"}'), post("[]"), planned=3)
def bodies_that_are_lists(app: FastAPI) -> None:
    @app.post("/x")
    async def endpoint(things: list[Thing]) -> Response:
        return JSONResponse([thing.name for thing in things])


@CASES.of(post('{"name": "a"}'), post("null"), post(""), ("POST", "/x", {}), planned=2)
def bodies_that_may_be_left_out(app: FastAPI) -> None:
    @app.post("/x")
    async def endpoint(thing: Thing | None = None) -> Response:
        return JSONResponse(thing and thing.name)


@CASES.of(post('{"thing": {"name": "a"}}'), post('{"name": "a"}'), planned=0)
def bodies_in_an_object(app: FastAPI) -> None:
    @app.post("/x")
    async def endpoint(thing: Annotated[Thing, Body(embed=True)]) -> Response:
        return JSONResponse(thing.name)


@CASES.of(post('{"one": {"name": "a"}, "two": {"name": "b"}}'), planned=0)
def bodies_of_two_parameters(app: FastAPI) -> None:
    @app.post("/x")
    async def endpoint(one: Thing, two: Thing) -> Response:
        return JSONResponse([one.name, two.name])


async def thing_of(thing: Thing) -> str:
    """A dependency with a body."""
    return thing.name


@CASES.of(post('{"name": "a"}'), post("{}"), planned=2)
def bodies_of_a_dependency(app: FastAPI) -> None:
    @app.post("/x")
    async def endpoint(name: Annotated[str, Depends(thing_of)]) -> Response:
        return JSONResponse(name)


@CASES.of(post('{"thing": {"name": "a"}, "other": {"name": "b"}}'), planned=0)
def bodies_of_a_dependency_and_the_endpoint(app: FastAPI) -> None:
    @app.post("/x", dependencies=[Depends(thing_of)])
    async def endpoint(other: Thing) -> Response:
        return JSONResponse(other.name)


@CASES.of(post('{"name": "a"}'), planned=0)
def bodies_of_one_name_in_two_places(app: FastAPI) -> None:
    @app.post("/x", dependencies=[Depends(thing_of)])
    async def endpoint(thing: Thing) -> Response:
        return JSONResponse(thing.name)


@CASES.of(
    ("POST", "/x", {"content": b'{"name": "a"}'}),
    ("POST", "/x", {"content": b'{"name": "a"}', "headers": {"Content-Type": "text/plain"}}),
    post('{"name": "a"}'),
    planned=1,
    strict_content_type=False,
)
def bodies_without_a_type(app: FastAPI) -> None:
    @app.post("/x")
    async def endpoint(thing: Thing) -> Response:
        return JSONResponse(thing.name)


@CASES.of(post('{"name": "a"}'), planned=1)
def bodies_that_a_dependency_changes(app: FastAPI) -> None:
    async def change(request: Request) -> None:
        document = await request.json()
        document["name"] += "b"

    @app.post("/x", dependencies=[Depends(change)])
    async def endpoint(thing: Thing) -> Response:
        return JSONResponse(thing.name)


@CASES.of(post('{"name": "a"}'), post('{"name": 1}'), post("{"), ("POST", "/x", {}), planned=2)
def bodies_that_a_dependency_reads_too(app: FastAPI) -> None:
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.post("/x")
    async def endpoint(thing: Thing, length: Annotated[int, Depends(size)]) -> Response:
        return JSONResponse([thing.name, length])


@CASES.of(post('{"name": "a"}'), post('{"name": "b"}'), planned=2)
def bodies_judged_by_what_a_dependency_has_set(app: FastAPI) -> None:
    wanted = ContextVar("wanted", default="nothing")

    class Wanted(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def _is_wanted(cls, name: str) -> str:
            if name != wanted.get():
                raise PydanticCustomError("unwanted", "unwanted")
            return name

    async def want() -> None:
        wanted.set("a")

    @app.post("/x", dependencies=[Depends(want)])
    async def endpoint(thing: Wanted) -> Response:
        return JSONResponse(thing.name)


@CASES.of(post([b"a", b"b"]), post("ab", "/x?number=a"), planned=2)
def bodies_that_only_a_dependency_reads(app: FastAPI) -> None:
    async def pieces(request: Request) -> bytes:
        return b"".join([piece async for piece in request.stream()])

    @app.post("/x")
    async def endpoint(body: Annotated[bytes, Depends(pieces)], number: int = 0) -> Response:
        return Response(body)


@pytest.mark.parametrize("planned", [True, False])
async def test_a_body_that_cannot_be_read_is_a_bad_request(
    plain_settings: Settings, *, planned: bool
) -> None:
    app, passed = application(plain_settings, planned=planned)

    @app.post("/x")
    async def endpoint(thing: Thing) -> Response:
        return JSONResponse(thing.name)

    async def cut_off(scope: Scope, _: Receive, send: Send) -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        await app(scope, receive, send)

    async with talking_to(cut_off) as client:
        answer = await client.post("/x", json={"name": "a"})
    problem_of(answer, 400, "bad_request")
    assert passed == ([] if planned else ["/x"])


@pytest.mark.parametrize("kind", [Form, File])
def test_a_form_is_unplanned(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parser is not installed, so nothing can be sent."""
    monkeypatch.setattr(utils, "ensure_multipart_is_installed", lambda: None)
    app = FastAPI()

    @app.post("/x")
    async def endpoint(thing: Annotated[Thing, kind()]) -> Response:
        return JSONResponse(thing.name)

    [context] = [one for one in iter_route_contexts(app.routes) if one.path == "/x"]
    with pytest.raises(UnplannedError):
        Plan(context, app, app, Outcomes(app))
