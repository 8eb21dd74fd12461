"""What travels about personal access tokens."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from src.auth.schemas import Password
from src.invalid_values import invalid
from src.pagination import DEFAULT_LIMIT, Cursor, Limit
from src.permissions import SCOPES
from src.schemas import Input, Output, Text

MAX_DAYS = 3650


def _known(scope: str) -> str:
    if scope not in SCOPES:
        raise invalid("scope_unknown")
    return scope


Scope = Annotated[
    str,
    Field(max_length=64, json_schema_extra={"enum": list(SCOPES)}),
    AfterValidator(_known),
]
TokenName = Annotated[str, Text(80)]


class PersonalTokenCreate(Input):
    """A new token. It can have no scope that the access token of the request lacks."""

    current_password: Password
    name: TokenName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    expires_in_days: Annotated[
        int | None,
        Field(ge=1, le=MAX_DAYS, description="30 if left out; at most PERSONAL_TOKEN_LIFETIME"),
    ] = None


class PersonalTokenFilter(Input):
    """Which page of one's tokens to list."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class PersonalTokenRead(Output):
    """A token, without its text. An expired one is kept for 30 days."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: Annotated[datetime | None, Field(description="Exact to a minute")]


class PersonalTokenCreated(PersonalTokenRead):
    """A new token with its text, which is shown this once."""

    token: str
