"""The forms of the OAuth endpoints, read after RFC 6749 instead of as a validated body.

Every fault in it is a 400 with an OAuth error, never a 422, so it is parsed here.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson
from fastapi import Request

from src.auth.exceptions import InvalidTokenRequestError
from src.auth.tokens.jwt import MAX_TOKEN_LENGTH
from src.http import json_bodies

FORM_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 20
MAX_VALUE_LENGTH = 1024
MFA_GRANT = "urn:plaza:grant-type:mfa"
# The client that every front end is, and that who names none is: it has no secret.
PUBLIC_CLIENT_ID = "plaza"

# By parameter; an access token is the only long one.
MAX_LENGTHS = {"token": MAX_TOKEN_LENGTH}


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
    if _media_type(request) != FORM_TYPE:
        raise InvalidTokenRequestError(f"Send a form: {FORM_TYPE}")
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
