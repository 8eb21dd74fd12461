"""The forms of the OAuth endpoints, read after RFC 6749 instead of as a validated body.

Every fault in it is a 400 with an OAuth error, never a 422, so it is parsed here.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request

from src.auth.exceptions import InvalidTokenRequestError
from src.auth.jwt import MAX_TOKEN_LENGTH

MAX_FIELDS = 20
MAX_VALUE_LENGTH = 1024

# By parameter; an access token is the only long one.
MAX_LENGTHS = {"token": MAX_TOKEN_LENGTH}


def form_schema(title: str, properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """A form in the OpenAPI document."""
    schema = {"type": "object", "title": title, "properties": properties}
    if required:
        schema["required"] = list(required)
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


FORM_SCHEMA = form_schema(
    "TokenRequest",
    {
        "grant_type": {"type": "string", "enum": ["password", "refresh_token"]},
        "username": {"type": "string", "description": "The e-mail address or the username"},
        "password": {"type": "string", "format": "password"},
        "refresh_token": {"type": "string"},
        "scope": {"type": "string", "description": "Scopes separated by spaces"},
    },
)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The parameters of a token request; an empty one counts as left out (RFC 6749, 3.2)."""

    parameters: dict[str, str]
    # Who the client is, if the form does not say so: src.auth.clients checks it.
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
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise InvalidTokenRequestError("Send a form: application/x-www-form-urlencoded")
    try:
        fields = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise InvalidTokenRequestError("The form is malformed") from None
    parameters: dict[str, str] = {}
    for name, value in fields:
        if name in parameters:
            raise InvalidTokenRequestError("A parameter is repeated")
        if len(value) > MAX_LENGTHS.get(name, MAX_VALUE_LENGTH) or "\0" in value:
            raise InvalidTokenRequestError("A parameter is malformed")
        parameters[name] = value
    parameters = {name: value for name, value in parameters.items() if value}
    return TokenRequest(parameters, request.headers.get("authorization"))
