"""What travels about accounts."""

from typing import Annotated, Literal

from pydantic import Field

from src.schemas import STORABLE, Input, Output
from src.users.schemas import DisplayName, Email, Username

# The rules are in src.auth.passwords; this only bounds what is read.
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


class TokenRead(Output):
    """A successful token response (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: Annotated[int, Field(description="Seconds until the access token expires")]
    refresh_token: str
    scope: str
