"""What travels about personal access tokens."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from src.access.permissions import SCOPES
from src.auth.schemas import Password
from src.schemas import Input, Output, Text
from src.validation.invalid_values import invalid
from src.validation.settings import validation_settings

MAX_DAYS = 3650


def _known(scope: str) -> str:
    if scope not in SCOPES:
        raise invalid("scope_unknown")
    return scope


Scope = TypeAliasType(
    "Scope",
    Annotated[
        str,
        Field(max_length=64, examples=["posts:read"], json_schema_extra={"enum": list(SCOPES)}),
        AfterValidator(_known),
    ],
)
TokenName = Annotated[str, Text(80), Field(examples=["Backup script"])]


def _bound_by_the_setting(schema: dict[str, Any]) -> None:
    if settings := validation_settings.get():
        schema["maximum"] = min(MAX_DAYS, settings.personal_token_lifetime.days)


Days = Annotated[
    int, Field(ge=1, le=MAX_DAYS, examples=[30], json_schema_extra=_bound_by_the_setting)
]


class PersonalTokenCreate(Input):
    """A new token. It can have no scope that the access token of the request lacks."""

    current_password: Password
    name: TokenName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    expires_in_days: Annotated[
        Days | None, Field(description="30 if left out; at most PERSONAL_TOKEN_LIFETIME")
    ] = None


class PersonalTokenRead(Output):
    """A token, without its text. An expired one is kept for 30 days."""

    id: UUID
    name: str
    scopes: Annotated[list[str], Field(examples=[["posts:read"]])]
    created_at: datetime
    expires_at: datetime
    last_used_at: Annotated[datetime | None, Field(description="Exact to a minute")]


class PersonalTokenCreated(PersonalTokenRead):
    """A new token with its text, which is shown this once."""

    token: Annotated[str, Field(examples=["plaza_pat_…"])]
