"""What travels about registrations and addresses."""

from typing import Annotated, Literal

from pydantic import Field

from src.auth.schemas import AccountNamed, LinkToken, NewPassword, Password
from src.schemas import Input, Output
from src.users.schemas import DisplayName, NewEmail, Username


class RegistrationCreate(Input):
    """A new account."""

    email: NewEmail
    password: NewPassword
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
    sign_in: Annotated[
        bool, Field(description="Sign in by the same proof: the answer has tokens")
    ] = False


class EmailResend(AccountNamed):
    """Whom to send the confirmation again."""


class ConfirmationSent(Output):
    """The same for every address and account."""

    status: Literal["confirmation_sent"] = "confirmation_sent"


class EmailChange(Input):
    """A new address."""

    new_email: Annotated[NewEmail, Field(examples=["ann.new@example.com"])]
    current_password: Password
