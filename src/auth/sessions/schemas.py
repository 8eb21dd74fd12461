"""What travels about sessions."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from typing_extensions import TypeAliasType

from src.schemas import Input, Output

SignOutScope = TypeAliasType("SignOutScope", Literal["this", "others", "all"])


class SignOut(Input):
    """Which sessions end."""

    scope: SignOutScope = "this"
    refresh_token: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Whose session ends if there is no valid access token",
        ),
    ] = None


class SessionRead(Output):
    """One's own session: a sign-in on one device."""

    id: UUID
    device: Annotated[str, Field(examples=["Firefox on Linux"])]
    address: Annotated[str | None, Field(examples=["192.0.2.7"])]
    client_id: str
    created_at: datetime
    last_used_at: Annotated[datetime, Field(description="When it was last refreshed")]
    expires_at: Annotated[datetime, Field(description="When it ends unless it is refreshed")]
    current: Annotated[bool, Field(description="Whether it is the one of this request")]
