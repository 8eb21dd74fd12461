"""JSON whose objects have a name twice is refused, whoever reads it."""

import re
from collections.abc import Iterator

import httpx
import orjson
import pytest
from fastapi import params
from fastapi.routing import APIRoute

from src.http import json_bodies
from src.main import API_PREFIX, API_ROUTERS
from tests.support import PASSWORD, Accounts, problem_of

JSON = {"Content-Type": "application/json"}
SAME_SITE = {"Origin": "http://plaza.test"}

REPEATED = [
    b'{"a": 1, "a": 2}',
    b'{"a": 1, "b": ":", "a": 1}',
    b'{"a": 1, "\\u0061": 2}',
    b'{"\\u00e9": 1, "\xc3\xa9": 2}',
    b'{"a": {"b": [1, {"c": 1, "c": 2}]}}',
    b'[{"a": 1}, {"a": {"a": 1}, "a": 1}]',
    b'{"a": {"b": 1, "c": 2}, "a": {}}',
    b'{"": 1, "": 2}',
    b'{"a": 1, "b": "\\":", "a": "\\\\"}',
]
UNIQUE = [
    b'{"a": 1, "A": 2}',
    b'{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 1}]}',
    b'{"a": "b: c", "b:": "\\":\\\\"}',
    b'{"e\xcc\x81": 1, "\xc3\xa9": 2}',
    b"[1, [2, []], null, {}]",
    b'":"',
]


def routes_with_json() -> Iterator[tuple[str, str]]:
    """The method and path of every route that takes a JSON body."""
    for router in API_ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.body_field:
                assert not isinstance(route.body_field.field_info, params.Form)
                for method in route.methods or ():
                    yield method, route.path


@pytest.mark.parametrize("body", REPEATED)
def test_a_name_that_comes_twice_is_refused(body: bytes) -> None:
    with pytest.raises(json_bodies.RepeatedMemberError):
        json_bodies.loads(body)


@pytest.mark.parametrize("body", UNIQUE)
def test_the_same_name_in_another_object_or_a_text_is_not(body: bytes) -> None:
    assert json_bodies.loads(body) == orjson.loads(body)


async def test_every_route_refuses_it(
    client: httpx.AsyncClient, accounts: Accounts, subtests: pytest.Subtests
) -> None:
    await accounts.add("ann", roles=("admin",))
    ann = await accounts.sign_in("ann")
    for method, path in routes_with_json():
        url = API_PREFIX + re.sub(r"\{\w+\}", ann.id, path)
        for kind in ("application/json", "application/vnd.api+json"):
            with subtests.test(f"{method} {path} {kind}"):
                headers = ann.headers | {"Content-Type": kind}
                answer = await client.request(method, url, content=REPEATED[0], headers=headers)
                [error] = problem_of(answer, 422, "validation_error")["errors"]
                assert error["loc"] == ["body"]
                assert error["type"] == "repeated"


async def test_no_value_of_it_has_an_effect(client: httpx.AsyncClient, accounts: Accounts) -> None:
    ann = await accounts.sign_in("ann")
    draft = await client.post(
        "/api/v1/posts", json={"title": "a", "body": "b"}, headers=ann.headers
    )
    url = f"/api/v1/posts/{draft.json()['id']}"
    for body in (
        b'{"status": "draft", "status": "published"}',
        b'{"status": "published", "st\\u0061tus": "draft"}',
    ):
        answer = await client.patch(url, content=body, headers=ann.headers | JSON)
        assert answer.status_code == 422
    assert (await client.get(url, headers=ann.headers)).json() == draft.json()


async def test_a_sign_in_with_two_usernames_is_none(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    fields = b'"username": "eve", "username": "ann", "password": "%b"' % PASSWORD.encode()
    for body in (b"{%b}" % fields, b"{%b}" % fields.replace(b"username", b"usern\\u0061me", 1)):
        answer = await client.post("/api/v1/auth/web/login", content=body, headers=JSON | SAME_SITE)
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_request"
        assert "set-cookie" not in answer.headers


async def test_a_depth_at_which_nobody_can_tell_is_a_4xx(client: httpx.AsyncClient) -> None:
    for depth in (500, 990, 1010):
        body = b'{"email": ":", "password": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        for path, headers in (("register", JSON), ("web/login", JSON | SAME_SITE)):
            url = f"/api/v1/auth/{path}"
            answer = await client.post(url, content=body, headers=headers)
            assert answer.status_code in {400, 422}, depth
