"""The forms of the OAuth endpoints, read after RFC 6749 instead of as a validated body.

Every fault in it is a 400 with an OAuth error, never a 422, so it is parsed here.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import Request

from src.auth.exceptions import InvalidTokenRequestError
from src.auth.schemas import EXAMPLE_PASSWORD
from src.auth.tokens.jwt import MAX_TOKEN_LENGTH
from src.http import json_bodies

MAX_FIELDS = 20
MAX_VALUE_LENGTH = 1024
MFA_GRANT = "urn:plaza:grant-type:mfa"
# The client that every front end is, and that who names none is: it has no secret.
PUBLIC_CLIENT_ID = "plaza"

# By parameter; an access token is the only long one.
MAX_LENGTHS = {"token": MAX_TOKEN_LENGTH}


def form_schema(title: str, properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """A form in the OpenAPI document."""
    schema = {"type": "object", "title": title, "properties": properties}
    if required:
        schema["required"] = list(required)
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


_SIGN_IN: dict[str, Any] = {
    "username": {
        "type": "string",
        "description": "The e-mail address or the username",
        "example": "ann@example.com",
    },
    "password": {"type": "string", "format": "password", "example": EXAMPLE_PASSWORD},
    "mfa_token": {"type": "string", "description": "What the error mfa_required came with"},
    "code": {
        "type": "string",
        "description": "Of the authenticator app, or a recovery code: with mfa_token, or at once "
        "with the password",
    },
    "scope": {"type": "string", "description": "Scopes separated by spaces"},
    "include": {
        "type": "string",
        "description": "user: the answer has the account as well",
    },
    "client_id": {
        "type": "string",
        "description": f"{PUBLIC_CLIENT_ID} for every front end, which may also leave it out",
        "example": PUBLIC_CLIENT_ID,
    },
}
FORM_SCHEMA = form_schema(
    "TokenRequest",
    {
        "grant_type": {
            "type": "string",
            "enum": ["password", MFA_GRANT, "refresh_token"],
            "example": "password",
        },
        **_SIGN_IN,
        "refresh_token": {"type": "string"},
        "client_secret": {
            "type": "string",
            "format": "password",
            "description": f"Of another client than {PUBLIC_CLIENT_ID}, which has none",
        },
    },
)
_WEB_SIGN_IN: dict[str, Any] = {
    "type": "object",
    "title": "WebSignIn",
    "description": "A username and a password; then, if it is asked for, mfa_token and code.",
    "properties": {
        "grant_type": {
            "type": "string",
            "enum": ["password", MFA_GRANT],
            "example": "password",
        },
        **_SIGN_IN,
    },
}
WEB_SIGN_IN_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            media_type: {"schema": _WEB_SIGN_IN}
            for media_type in ("application/x-www-form-urlencoded", "application/json")
        },
    }
}


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The parameters of a token request; an empty one counts as left out (RFC 6749, 3.2)."""

    parameters: dict[str, str]
    # Who the client is, if the form does not say so: src.auth.clients.service checks it.
    authorization: str | None = None

    @property
    def grant_type(self) -> str:
        """The grant; a username with a password and no grant is a password grant."""
        grant = self.parameters.get("grant_type")
        if grant is None and {"username", "password"} <= self.parameters.keys():
            return "password"
        return grant or self.required("grant_type")

    @property
    def scope(self) -> str | None:
        """The requested scope."""
        return self.parameters.get("scope")

    @property
    def includes_user(self) -> bool:
        """Whether the answer is to have the user's account.

        Raises:
            InvalidTokenRequestError: it is to have something else.
        """
        if self.parameters.get("include", "user") != "user":
            raise InvalidTokenRequestError("The parameter include takes user only")
        return "include" in self.parameters

    def required(self, name: str) -> str:
        """The value of a parameter.

        Raises:
            InvalidTokenRequestError: it is missing.
        """
        try:
            return self.parameters[name]
        except KeyError:
            raise InvalidTokenRequestError(f"The parameter {name} is missing") from None


async def read_token_request(request: Request) -> TokenRequest:
    """Read and check the form.

    Raises:
        InvalidTokenRequestError: not a form, or a parameter is repeated or malformed.
    """
    if _media_type(request) != "application/x-www-form-urlencoded":
        raise InvalidTokenRequestError("Send a form: application/x-www-form-urlencoded")
    parameters = _checked(await _form_fields(request))
    return TokenRequest(parameters, request.headers.get("authorization"))


async def read_web_sign_in(request: Request) -> TokenRequest:
    """Read and check the same fields from a form or a JSON object; no header names a client.

    Without `grant_type`, it is that of the fields.

    Raises:
        InvalidTokenRequestError: neither of them, or a field is repeated, malformed or no string.
    """
    if _media_type(request) == "application/json":
        parameters = _checked(_json_fields(await request.body()))
    else:
        parameters = (await read_token_request(request)).parameters
    parameters.setdefault("grant_type", MFA_GRANT if "mfa_token" in parameters else "password")
    return TokenRequest(parameters)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _form_fields(request: Request) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise InvalidTokenRequestError("The form is malformed") from None


def _json_fields(body: bytes) -> list[tuple[str, str]]:
    try:
        document = json_bodies.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidTokenRequestError("The JSON is malformed") from None
    except json_bodies.RepeatedMemberError:
        raise InvalidTokenRequestError("A parameter is repeated") from None
    if not isinstance(document, dict) or len(document) > MAX_FIELDS:
        raise InvalidTokenRequestError("Send an object of few fields")
    if not all(isinstance(value, str) for value in document.values()):
        raise InvalidTokenRequestError("A field is not a string")
    return list(document.items())


def _checked(fields: list[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name; an empty one counts as left out."""
    parameters: dict[str, str] = {}
    for name, value in fields:
        if name in parameters:
            raise InvalidTokenRequestError("A parameter is repeated")
        if len(value) > MAX_LENGTHS.get(name, MAX_VALUE_LENGTH) or "\0" in value:
            raise InvalidTokenRequestError("A parameter is malformed")
        parameters[name] = value
    return {name: value for name, value in parameters.items() if value}
