"""The form of a token request, read without an application (RFC 6749, appendix B)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from src.auth.clients.token_request import TokenRequest, read_token_request
from src.auth.exceptions import InvalidTokenRequestError

FORM_TYPE = b"application/x-www-form-urlencoded"


async def read(
    body: bytes, content_type: bytes = FORM_TYPE, authorization: bytes | None = None
) -> TokenRequest:
    """Read a request with this body."""
    headers = [(b"content-type", content_type)]
    if authorization is not None:
        headers.append((b"authorization", authorization))

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return await read_token_request(Request({"type": "http", "headers": headers}, receive))


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        (b"", {}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a=&b", {}),
        (b"a=x+y%20z", {"a": "x y z"}),
        (b"password=%26%3D%2B%25", {"password": "&=+%"}),
        (b"password=%D1%8F", {"password": "\u044f"}),
        (b"password=%F0%9F%90%8E", {"password": "\U0001f40e"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"a==", {"a": "="}),
        (b"&&a=1&&", {"a": "1"}),
    ],
)
async def test_a_form_is_decoded(body: bytes, parameters: dict[str, str]) -> None:
    assert (await read(body)).parameters == parameters


@pytest.mark.parametrize(
    "content_type",
    [FORM_TYPE + b"; charset=utf-8", FORM_TYPE + b" ;x", FORM_TYPE.upper()],
)
async def test_the_media_type_may_have_parameters(content_type: bytes) -> None:
    assert (await read(b"a=1", content_type)).parameters == {"a": "1"}


@pytest.mark.parametrize(
    ("form", "grant"),
    [
        ({"grant_type": "password"}, "password"),
        ({"grant_type": "refresh_token", "username": "a", "password": "b"}, "refresh_token"),
        ({"username": "a", "password": "b"}, "password"),
        ({"username": "a", "password": "b", "refresh_token": "c"}, "password"),
        ({"grant_type": "other"}, "other"),
    ],
)
def test_the_grant(form: dict[str, str], grant: str) -> None:
    assert TokenRequest(form).grant_type == grant


@pytest.mark.parametrize(
    "form", [{}, {"username": "a"}, {"password": "b"}, {"refresh_token": "c"}, {"scope": "d"}]
)
def test_without_a_grant_it_is_no_request(form: dict[str, str]) -> None:
    with pytest.raises(InvalidTokenRequestError, match="grant_type is missing"):
        _ = TokenRequest(form).grant_type


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(InvalidTokenRequestError, match="password is missing"):
        TokenRequest({}).required("password")
    assert TokenRequest({}).scope is None


@given(
    body=st.binary() | st.text("a=&%+;0Fé").map(str.encode),
    content_type=st.sampled_from([FORM_TYPE, b"application/json", b"\xff"]),
    authorization=st.none()
    | st.binary()
    | st.binary().map(lambda b: b"Basic " + b)
    | st.binary().map(lambda b: b"Basic " + base64.b64encode(b)),
)
async def test_anything_is_a_request_or_an_oauth_error(
    body: bytes, content_type: bytes, authorization: bytes | None
) -> None:
    try:
        request = await read(body, content_type, authorization)
    except InvalidTokenRequestError:
        return
    assert all(request.parameters.values())
    assert all("\0" not in value for value in request.parameters.values())
