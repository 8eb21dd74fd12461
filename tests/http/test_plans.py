"""The shorter way through FastAPI gives the answers that FastAPI gives."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request, Response, Security
from fastapi.dependencies.models import Dependant
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import SecurityScopes
from pydantic import BaseModel, Field

from src.config import Settings
from src.dependencies import get_session
from src.http.json_bodies import refuse_repeated_members
from src.http.plans.outcomes import Outcomes
from src.http.plans.plan import Plan
from src.http.plans.step import UnplannedError
from src.main import API_ROUTERS, create_app
from src.schemas import Input
from src.sql.transaction import Transaction
from tests.http.both_ways import RefusedError, application, seen
from tests.support import talking_to

JSON = {"Content-Type": "application/json"}


class Filter(Input):
    """Query parameters as a model."""

    word: Annotated[str, Field(max_length=5)] = "none"
    limit: Annotated[int, Field(ge=1, le=10)] = 5
    tag: list[str] = Field(default_factory=list)


class Thing(Input):
    """A body."""

    name: Annotated[str, Field(min_length=1)]
    number: int = 0
    ratio: float = 0.5


class Answer(BaseModel):
    """What an endpoint may return instead of a Response."""

    number: int


# Beside what answers 204, everything else that the application answers is planned.
UNPLANNED = [
    "ANY /docs/static",
    "GET /.well-known/oauth-authorization-server{path:path}",
    "GET HEAD /openapi.json",
    "PATCH /api/v1/users/{user:other}",
    "POST /api/v1/auth/email/resend",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/register",
    "POST /api/v1/users/me/email",
]
events: list[str] = []


async def opened(request: Request) -> AsyncIterator[str]:
    """A resource that has to be closed before the answer is sent."""
    events.append("open")
    try:
        yield "resource"
    except RefusedError:
        events.append("roll back")
        raise
    events.append("close")


Opened = Annotated[str, Depends(opened, scope="function")]


async def twice(first: Opened, second: Opened) -> str:
    """A dependency that needs the same resource twice."""
    return first + second


async def scopes(required: SecurityScopes) -> str:
    """The scopes that a route asks for."""
    return required.scope_str


def blocking() -> str:
    """A dependency that FastAPI runs on a thread."""
    return "thread"


def declare_reads(router: APIRouter) -> None:
    """Endpoints that only answer."""

    @router.get("/items/mine")
    async def mine() -> Response:
        return JSONResponse("mine")

    @router.get("/items/{item_id}")
    async def read(
        item_id: Annotated[int, Path(ge=0)], which: Annotated[Filter, Query()]
    ) -> Response:
        return JSONResponse([item_id, which.model_dump()])

    @router.get("/headers")
    async def headers(x_word: Annotated[str, Header(max_length=5)] = "none") -> Response:
        return JSONResponse(x_word)

    @router.get("/search")
    async def search(q: str, page: int = 1, exact: bool = False) -> Response:  # noqa: FBT001, FBT002
        return JSONResponse([q, page, exact])

    @router.get("/scoped")
    async def scoped(found: Annotated[str, Security(scopes, scopes=["a", "b"])]) -> Response:
        return JSONResponse(found)

    @router.get("/grow")
    async def grow(which: Annotated[Filter, Query()]) -> Response:
        which.tag.append("more")
        return JSONResponse(which.tag)

    @router.get("/broken")
    async def broken() -> Response:
        raise RuntimeError

    @router.get("/model", response_model=Answer)
    async def model() -> Any:
        return {"number": 7, "hidden": True}

    @router.get("/thread")
    async def thread(found: Annotated[str, Depends(blocking)]) -> Response:
        return JSONResponse(found)


def declare_writes(router: APIRouter) -> None:
    """Endpoints with a body, a resource or neither."""

    @router.post("/things", status_code=201)
    async def create(thing: Thing, resource: Annotated[str, Depends(twice)]) -> Response:
        return JSONResponse([thing.model_dump(), resource], 201)

    @router.put("/things/{name}")
    async def replace(name: str, thing: Thing, resource: Opened) -> Response:
        if thing.name != name:
            raise RefusedError
        return Response(resource)

    @router.post("/optional")
    async def optional(thing: Thing | None = None) -> Response:
        return JSONResponse(thing and thing.name)

    @router.delete("/things/{name}", status_code=204)
    async def delete(name: str) -> None:
        events.append(f"delete {name}")


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/items/mine", {}),
    ("GET", "/items/7", {}),
    ("GET", "/items/7?word=a&limit=2&tag=x&tag=y", {}),
    ("GET", "/items/7?limit=0", {}),
    ("GET", "/items/7?unknown=1", {}),
    ("GET", "/items/-1", {}),
    ("GET", "/items/seven", {}),
    ("GET", "/items/%20", {}),
    ("GET", "/items/7/more", {}),
    ("GET", "/items/", {}),
    ("PUT", "/items/7", {}),
    ("GET", "/headers", {}),
    ("GET", "/headers", {"headers": {"X-Word": "abc"}}),
    ("GET", "/headers", {"headers": {"X-Word": "abcdef"}}),
    ("GET", "/search", {}),
    ("GET", "/search?q=", {}),
    ("GET", "/search?q=%F0%9F%92%A5&page=2&exact=on", {}),
    ("GET", "/search?q=a&page=x", {}),
    ("GET", "/search?q=a&q=b&other=1", {}),
    ("POST", "/things", {"json": {"name": "a"}}),
    ("POST", "/things", {"json": {"name": ""}}),
    ("POST", "/things", {"json": {"name": "a", "more": 1}}),
    ("POST", "/things", {"json": [1]}),
    ("POST", "/things", {}),
    ("POST", "/things", {"content": b"", "headers": JSON}),
    ("POST", "/things", {"content": b"null", "headers": JSON}),
    ("POST", "/things", {"content": b"{", "headers": JSON}),
    ("POST", "/things", {"content": b"[" * 5000, "headers": JSON}),
    ("POST", "/things", {"content": b'{"name": "\\ud800"}', "headers": JSON}),
    ("POST", "/things", {"content": b'{"name": "a", "ratio": NaN}', "headers": JSON}),
    ("POST", "/things", {"content": b'{"name": "a", "name": "b"}', "headers": JSON}),
    ("POST", "/things", {"content": b'{"name": "a", "n\\u0061me": "b"}', "headers": JSON}),
    ("POST", "/things", {"content": b'{"name": "a:b"}', "headers": JSON}),
    ("POST", "/things", {"content": b'{"name": "a", "number": 1e3}', "headers": JSON}),
    ("POST", "/things", {"content": b'{"name":"a","number":' + b"9" * 30 + b"}", "headers": JSON}),
    ("POST", "/things", {"content": b'{"name":"a","ratio":' + b"9" * 400 + b"}", "headers": JSON}),
    ("POST", "/things", {"content": b'\xef\xbb\xbf{"name": "a"}', "headers": JSON}),
    ("POST", "/things", {"content": '{"name": "a"}'.encode("utf-16"), "headers": JSON}),
    ("POST", "/things", {"content": b'{"name": "\xff"}', "headers": JSON}),
    *(
        ("POST", "/things", {"content": b'{"name": "a"}', "headers": {"Content-Type": kind}})
        for kind in (
            "application/json; charset=utf-8",
            "APPLICATION/JSON",
            "application/vnd.api+json",
            "application/jsonp",
            "application/json-seq",
            "text/plain",
            "",
        )
    ),
    ("PUT", "/things/a", {"json": {"name": "a"}}),
    ("PUT", "/things/b", {"json": {"name": "a"}}),
    ("PUT", "/things/a%2Fb", {"json": {"name": "a/b"}}),
    ("GET", "/scoped", {}),
    ("GET", "/grow", {}),
    ("GET", "/grow", {}),
    ("GET", "/broken", {}),
    ("GET", "/model", {}),
    ("GET", "/thread", {}),
    ("POST", "/optional", {}),
    ("POST", "/optional", {"json": {"name": "a"}}),
    ("DELETE", "/things/a", {}),
]


def app_of(settings: Settings, *, planned: bool) -> FastAPI:
    """A small application of one router."""
    router = APIRouter(prefix="/x")
    declare_reads(router)
    declare_writes(router)
    app, _ = application(settings, planned=planned)
    refusals = [Depends(refuse_repeated_members)]
    app.include_router(router, prefix="/api/v1", dependencies=refusals)
    return app


@pytest.fixture
def apps(plain_settings: Settings) -> tuple[FastAPI, FastAPI]:
    """The same application with plans and without."""
    settings = plain_settings.model_copy(update={"max_body_bytes": 100_000})
    return app_of(settings, planned=True), app_of(settings, planned=False)


def test_the_unplanned_routes_are_known(plain_settings: Settings) -> None:
    app = create_app(plain_settings)
    unplanned = []
    for context in iter_route_contexts(app.routes):
        if getattr(context.original_route, "status_code", None) == 204:
            continue
        try:
            Plan(context, app, app, Outcomes(app))
        except UnplannedError:
            unplanned.append(f"{' '.join(sorted(context.methods or ['ANY']))} {context.path}")
    assert sorted(unplanned) == UNPLANNED


def test_no_route_has_a_session_and_a_transaction() -> None:
    """They would be committed one after the other."""
    routes = [route for router in API_ROUTERS for route in router.routes]
    opening = [
        route
        for route in routes
        if isinstance(route, APIRoute)
        and Transaction.__name__ in inspect.unwrap(route.endpoint).__code__.co_names
    ]
    assert opening
    assert not [route.path for route in opening if get_session in calls(route.dependant)]


def calls(dependant: Dependant) -> set[Callable[..., Any] | None]:
    """Everything that is called for a route."""
    return {dependant.call}.union(*map(calls, dependant.dependencies))


async def test_both_ways_give_the_same_answers(
    apps: tuple[FastAPI, FastAPI], subtests: pytest.Subtests
) -> None:
    async with talking_to(apps[0]) as ours, talking_to(apps[1]) as theirs:
        for method, path, content in REQUESTS:
            with subtests.test(f"{method} {path} {content}"[:100]):
                url = f"/api/v1/x{path}"
                answer = await ours.request(method, url, **content)
                assert seen(answer) == seen(await theirs.request(method, url, **content))


async def test_both_ways_give_the_same_answers_under_a_root_path(
    apps: tuple[FastAPI, FastAPI],
) -> None:
    for root_path in ("/api", "/sub"):
        answers = []
        for app in apps:
            transport = httpx.ASGITransport(app, root_path=root_path)
            async with httpx.AsyncClient(transport=transport, base_url="http://x.test") as client:
                paths = ("/api/v1/x/headers", "/sub/api/v1/x/headers")
                answers.append([seen(await client.get(path)) for path in paths])
        assert answers[0] == answers[1]


async def test_overridden_dependencies_are_used(apps: tuple[FastAPI, FastAPI]) -> None:
    app, _ = apps

    async def other() -> str:
        return "other"

    app.dependency_overrides[scopes] = other
    async with talking_to(app) as client:
        assert (await client.get("/api/v1/x/scoped")).json() == "other"


async def test_a_resource_is_opened_once_and_closed_before_the_answer(
    apps: tuple[FastAPI, FastAPI],
) -> None:
    async with talking_to(apps[0]) as client:
        for content, path, expected in (
            ({"name": "a"}, "/things/a", ["open", "close"]),
            ({"name": "a"}, "/things/b", ["open", "roll back"]),
        ):
            events.clear()
            await client.put(f"/api/v1/x{path}", json=content)
            assert events == expected
        events.clear()
        await client.post("/api/v1/x/things", json={"name": "a"})
        assert events == ["open", "close"]
