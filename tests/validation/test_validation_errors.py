"""422: what is wrong and where, never with the rejected value, and never endless."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import pytest
from pydantic import Field

from src.config import Settings
from src.schemas import Input, Text, left_out
from tests.support import problem_of, small_app, talking_to

SECRET = "hunter2-hunter2"
ERROR = "validation_error"
MAX_BODY_BYTES = 1024 * 1024


Name = Annotated[str, Text(10)]


class Part(Input):
    """A nested object."""

    id: UUID | None = None


class Thing(Input):
    """Fields of every kind."""

    name: Name
    note: Annotated[str, Text(1000, lines=True, empty=True)] = ""
    count: Annotated[int, Field(ge=0, le=100)] = 0
    kind: Literal["a", "b"] = "a"
    at: datetime | None = None
    parts: Annotated[list[Part], Field(max_length=1000, default_factory=list)]


class ThingUpdate(Input):
    """A PATCH."""

    name: Name = left_out()
    count: int = left_out()


@pytest.fixture
async def things(plain_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that takes things."""
    settings = plain_settings.model_copy(update={"max_body_bytes": MAX_BODY_BYTES})
    app = small_app(settings)

    @app.post("/things", max_body_size=MAX_BODY_BYTES)
    async def create(thing: Thing) -> str:
        return thing.name

    @app.patch("/things/{thing_id}")
    async def change(thing_id: UUID, changes: ThingUpdate) -> list[str]:
        return sorted(changes.model_fields_set)

    async with talking_to(app) as client:
        yield client


async def post(client: httpx.AsyncClient, thing: object) -> httpx.Response:
    """Post JSON that may hold what httpx refuses to encode."""
    headers = {"Content-Type": "application/json"}
    return await client.post("/things", content=json.dumps(thing), headers=headers)


@pytest.mark.parametrize(
    ("thing", "loc", "kind"),
    [
        ({}, ["body", "name"], "missing"),
        ({"name": ""}, ["body", "name"], "text_empty"),
        ({"name": " \t "}, ["body", "name"], "text_empty"),
        ({"name": SECRET}, ["body", "name"], "text_too_long"),
        ({"name": {"a": SECRET}}, ["body", "name"], "not_text"),
        ({"name": "a\nb"}, ["body", "name"], "text_line_break"),
        ({"name": "a\u202eb"}, ["body", "name"], "text_control_character"),
        ({"name": "a\ud800b"}, ["body", "name"], "text_control_character"),
        ({"name": "a", "note": "a\0b"}, ["body", "note"], "text_control_character"),
        ({"name": "a", "count": SECRET}, ["body", "count"], "not_a_number"),
        ({"name": "a", "count": 101}, ["body", "count"], "number_too_large"),
        ({"name": "a", "count": 1.5}, ["body", "count"], "not_a_whole_number"),
        ({"name": "a", "count": float("nan")}, ["body", "count"], "not_a_number"),
        ({"name": "a", "count": 10**400}, ["body", "count"], "number_too_large"),
        ({"name": "a", "kind": SECRET}, ["body", "kind"], "not_a_choice"),
        ({"name": "a", "at": SECRET}, ["body", "at"], "date_time_invalid"),
        ({"name": "a", "parts": [{}, {"id": SECRET}]}, ["body", "parts", 1, "id"], "id_invalid"),
        ({"name": "a", "role": SECRET}, ["body", "role"], "unknown_field"),
        (SECRET, ["body"], "not_an_object"),
        ([SECRET], ["body"], "not_an_object"),
        (None, ["body"], "not_an_object"),
    ],
)
async def test_an_error_says_where_and_what_but_not_which_value(
    things: httpx.AsyncClient, thing: object, loc: list[object], kind: str
) -> None:
    answer = await post(things, thing)
    [error] = problem_of(answer, 422, ERROR)["errors"]
    assert set(error) == {"loc", "msg", "type"}
    assert error["loc"] == loc
    assert error["msg"]
    assert error["type"] == kind
    assert SECRET not in answer.text


async def test_all_that_is_wrong_is_told_at_once(things: httpx.AsyncClient) -> None:
    problem = problem_of(await post(things, {"name": "", "count": -1, "more": 1}), 422, ERROR)
    assert [error["loc"][-1] for error in problem["errors"]] == ["name", "count", "more"]


async def test_a_path_parameter_is_told_apart(things: httpx.AsyncClient) -> None:
    problem = problem_of(await things.patch("/things/none", json={}), 422, ERROR)
    assert problem["errors"][0]["loc"] == ["path", "thing_id"]


async def test_null_is_no_value_of_a_patch(things: httpx.AsyncClient) -> None:
    path = "/things/01890000-0000-7000-8000-000000000000"
    problem = problem_of(await things.patch(path, json={"name": None, "count": 1}), 422, ERROR)
    assert problem["errors"][0]["loc"] == ["body", "name"]
    assert (await things.patch(path, json={"count": 1})).json() == ["count"]


@pytest.mark.parametrize(
    "thing",
    [
        {"name": "a", "parts": [{"id": 1}] * 900},
        {"name": "a", "parts": [{"x": 1}] * 900},
        {"name": "a"} | {f"field-{number}": 1 for number in range(900)},
        {"name": "a", "x" * 15_000: 1},
        {"name": "a", "kind": "x" * 15_000},
    ],
    ids=["values", "nested fields", "fields", "long name", "long value"],
)
async def test_the_list_of_errors_is_bounded(things: httpx.AsyncClient, thing: object) -> None:
    answer = await post(things, thing)
    problem = problem_of(answer, 422, ERROR)
    assert 1 <= len(problem["errors"]) <= 20
    assert len(answer.content) < 10_000


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb", "\0", "\u202e", "💥" * 300])
async def test_a_hostile_field_name_gives_clean_json(things: httpx.AsyncClient, name: str) -> None:
    answer = await post(things, {"name": "a", name: 1})
    problem_of(answer, 422, ERROR)
    answer.content.decode()  # UTF-8 throughout


HOSTILE_JSON: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"name": "a"',
    "two values": b'{"name": "a"} {"name": "b"}',
    "not UTF-8": b'{"name": "\xff"}',
    "deep arrays": b"[" * 10_000,
    "deep objects": b'{"a":' * 3000,
    "closed deep arrays": b"[" * 5000 + b"]" * 5000,
    "endless number": b'{"name": "a", "count": ' + b"9" * 10_000 + b"}",
    "endless exponent": b'{"name": "a", "count": 1e' + b"9" * 1000 + b"}",
    "NaN": b'{"name": NaN}',
    "infinity": b'{"name": "a", "count": -Infinity}',
    "a NUL byte": b'{"name": "\x00"}',
    "a comment": b'{"name": "a" /* b */}',
}


@pytest.mark.parametrize("body", HOSTILE_JSON.values(), ids=HOSTILE_JSON.keys())
async def test_hostile_json_is_the_callers_fault(things: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await things.post("/things", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    problem: dict[str, Any] = problem_of(answer, answer.status_code, answer.json()["code"])
    assert problem["code"] in {"bad_request", ERROR}
    assert len(answer.content) < 2000
