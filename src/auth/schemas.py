"""What travels about accounts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from src.pagination import DEFAULT_LIMIT, Cursor, Limit
from src.schemas import STORABLE, Input, Output
from src.users.schemas import DisplayName, Email, Username

# The rules are in src.auth.password_policy; this only bounds what is read.
Password = Annotated[str, Field(min_length=1, max_length=1024), STORABLE]
LinkToken = Annotated[str, Field(min_length=1, max_length=200)]


class RegistrationCreate(Input):
    """A new account."""

    email: Email
    password: Password
    display_name: DisplayName | None = None
    username: Username | None = None


class RegistrationRead(Output):
    """The same for every address. Keep the secret: with it the mailed link needs no password."""

    status: Literal["confirmation_sent"] = "confirmation_sent"
    registration_secret: str


class EmailConfirm(Input):
    """The mailed token, and a proof that the account is yours: the secret or the password."""

    token: LinkToken
    registration_secret: Annotated[str, Field(max_length=200)] | None = None
    password: Password | None = None


class EmailResend(Input):
    """Whom to send the confirmation again."""

    email: Email


class ResendRead(Output):
    """The same for every address."""

    status: Literal["confirmation_sent"] = "confirmation_sent"


class SignOut(Input):
    """Which sessions end."""

    scope: Literal["this", "others", "all"] = "this"
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
    device: str
    address: str | None
    client_id: str
    created_at: datetime
    last_used_at: Annotated[datetime, Field(description="When it was last refreshed")]
    expires_at: Annotated[datetime, Field(description="When it ends unless it is refreshed")]
    current: Annotated[bool, Field(description="Whether it is the one of this request")]


class SessionFilter(Input):
    """A page of one's sessions."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class WebTokenRead(Output):
    """A token response whose refresh token is in a cookie."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: Annotated[int, Field(description="Seconds until the access token expires")]
    scope: str


class TokenRead(Output):
    """A successful token response (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: Annotated[int, Field(description="Seconds until the access token expires")]
    refresh_token: str
    scope: str
