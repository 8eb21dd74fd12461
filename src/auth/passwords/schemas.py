"""What travels about changes of passwords."""

from typing import Annotated, Literal

from pydantic import Field

from src.auth.schemas import AccountNamed, LinkToken, NewPassword, Password
from src.schemas import Input, Output

OtherPassword = Annotated[NewPassword, Field(examples=["a quieter mouse on the hill"])]


class PasswordChange(Input):
    """A new password."""

    current_password: Password
    new_password: OtherPassword


class PasswordResetRequest(AccountNamed):
    """Whom to mail a link that sets a new password."""


class ResetSent(Output):
    """The same for every account."""

    status: Literal["reset_sent"] = "reset_sent"


class PasswordReset(Input):
    """The mailed token, and a new password."""

    token: LinkToken
    new_password: OtherPassword
