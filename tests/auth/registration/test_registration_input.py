"""What a registration may hold: hostile and over-reaching input is refused and has no effect."""

import json

import httpx
import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.auth.support import CONFIRM, JSON, REGISTER, RESEND, code, confirm, register, rows
from tests.support import PASSWORD, Inbox

GOOD: dict[str, object] = {"email": "ann@x.test", "password": PASSWORD}
BAD_FIELDS: dict[str, list[object]] = {
    "email": [
        "Ann <ann@x.test>",
        "<ann@x.test>",
        "ann@x.test, bob@x.test",
        "ann@x.test;bob@x.test",
        "ann",
        "@",
        "ann@",
        "@x.test",
        "ann@x",
        "ann@@x.test",
        "ann@[127.0.0.1]",
        "a nn@x.test",
        '"a b"@x.test',
        "ann@x..test",
        "ann@-x.test",
        "ann@xn--\u00fc.test",
        "ann@xn--a.test",
        "ann@x.test\r\nBcc: eve@x.test",
        "ann\r\n@x.test",
        "ann\x00@x.test",
        "ann@x.test\x00",
        "a\u202ennb@x.test",
        "a\u200bnn@x.test",
        "a" * 250 + "@x.test",
        "ann@" + "a." * 200 + "test",
        "a" * 1000,
        "",
        " ",
        None,
        1,
        True,
        ["ann@x.test"],
        {"ann@x.test": 1},
    ],
    "password": ["", None, 12345678, ["correct horse"], "nul\x00in the middle", "x" * 2000],
    "display_name": [
        "",
        "  ",
        "a\r\nb",
        "a\x00b",
        "a\x1bb",
        "a\u2028b",
        "a\u202eb",
        "a" * 81,
        1,
    ],
    "username": ["ab", "a" * 33, "a b", "a.b", "\u0430nn", "a\x00b", "a/b", "-" * 2, 7, "ann\n x"],
}
LITERALS = [
    b'"\\ud800 and more"',
    b'"\\udc00\\ud800 and more"',
    b'"\\u0000 and more"',
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"-" + b"9" * 400,
    b"[" * 500 + b"]" * 500,
    b"[" * 10_000,
    b'{"a":' * 500 + b"1" + b"}" * 500,
    b"\xff\xfe",
    b'"\xed\xa0\x80 and more"',
    b'"\xc3 and more"',
    b'"\n"',
    b"",
    b"//",
]
BODIES = [b"", b" ", b"null", b"[]", b'"text"', b"1", b"{", b"{}", b"}", b"\x00", b"\xff" * 100]
OVER_REACHING: list[dict[str, object]] = [
    {"is_superuser": True},
    {"is_active": False},
    {"roles": ["administrator"]},
    {"email_verified": True},
    {"email_verified_at": "2026-03-01T12:00:00Z"},
    {"id": "00000000-0000-0000-0000-000000000000"},
    {"password_hash": "x"},
    {"scope": "admin"},
    {"registration_secret": "mine"},
    {"__proto__": {"is_superuser": True}},
]


async def refusals(client: httpx.AsyncClient, bodies: list[bytes]) -> dict[bytes, tuple[int, str]]:
    """The outcomes of registrations that are no plain 4xx."""
    outcomes = {}
    for body in bodies:
        outcome = code(await client.post(REGISTER, content=body, headers=JSON))
        if outcome not in {(422, "validation_error"), (400, "bad_request")}:
            outcomes[body[:100]] = outcome
    return outcomes


@pytest.mark.parametrize("field", BAD_FIELDS)
async def test_a_value_out_of_bounds_is_a_422_that_names_the_field(
    client: httpx.AsyncClient, app: FastAPI, field: str
) -> None:
    for value in BAD_FIELDS[field]:
        answer = await client.post(REGISTER, json=GOOD | {field: value})
        assert code(answer) == (422, "validation_error"), value
        assert [error["loc"] for error in answer.json()["errors"]] == [["body", field]], value
        assert set(answer.json()["errors"][0]) == {"loc", "msg", "type"}
    assert await rows(app, "SELECT 1 FROM users") == []


@pytest.mark.parametrize("field", ["email", "password", "display_name", "username"])
async def test_hostile_json_in_a_field_is_a_4xx(
    client: httpx.AsyncClient, app: FastAPI, field: str
) -> None:
    rest = orjson.dumps({key: value for key, value in GOOD.items() if key != field})[1:]
    bodies = [b'{"%s":%b,%b' % (field.encode(), literal, rest) for literal in LITERALS]
    assert await refusals(client, bodies) == {}
    assert await rows(app, "SELECT 1 FROM users") == []


async def test_a_body_that_is_no_registration_is_a_4xx(client: httpx.AsyncClient) -> None:
    surrogate_name = b'{"\\ud800": 1, ' + orjson.dumps(GOOD)[1:]
    many_names = orjson.dumps(GOOD | {f"x{number}": number for number in range(1000)})
    assert await refusals(client, [*BODIES, surrogate_name, many_names]) == {}
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"Content-Type": content_type}
        answer = await client.post(REGISTER, content=orjson.dumps(GOOD), headers=headers)
        assert answer.status_code in {415, 422}
    large = await client.post(REGISTER, json=GOOD | {"display_name": "x" * 2**20})
    assert code(large) == (413, "content_too_large")


async def test_nobody_gives_themselves_a_rank(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
) -> None:
    for extra in OVER_REACHING:
        for path in (REGISTER, CONFIRM, RESEND):
            body = GOOD | {"token": "t"} if path == CONFIRM else GOOD
            answer = await client.post(path, json=body | extra)
            assert code(answer) == (422, "validation_error")
    assert await rows(app, "SELECT 1 FROM users") == []
    secret = await register(client, "ann@x.test")
    token = await inbox.token("ann@x.test")
    good: dict[str, object] = {"token": token, "registration_secret": secret}
    for extra in OVER_REACHING[:4]:
        answer = await client.post(CONFIRM, json=good | extra)
        assert code(answer) == (422, "validation_error")
    assert await rows(app, "SELECT email_verified_at FROM users") == [None]
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204


@examples(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.dictionaries(
        st.sampled_from(["email", "password", "display_name", "username", "other"]),
        st.text(max_size=30)
        | st.emails()
        | st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers(),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
    )
)
async def test_no_json_object_gives_a_500(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    answer = await client.post(REGISTER, content=json.dumps(body), headers=JSON)
    assert answer.status_code in {202, 400, 409, 422}
