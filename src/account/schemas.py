"""What travels about one's own account."""

from typing import Literal

from src.auth.schemas import AccountNamed, LinkToken, NewPassword, Password
from src.schemas import Input, Output
from src.users.schemas import NewEmail


class PasswordChange(Input):
    """A new password."""

    current_password: Password
    new_password: NewPassword


class PasswordForgotten(AccountNamed):
    """Whom to mail a link that sets a new password."""


class ResetRequested(Output):
    """The same for every account."""

    status: Literal["reset_sent"] = "reset_sent"


class PasswordReset(Input):
    """The mailed token, and a new password."""

    token: LinkToken
    new_password: NewPassword


class EmailChange(Input):
    """A new address."""

    new_email: NewEmail
    current_password: Password


class EmailChangeRequested(Output):
    """The same for every address."""

    status: Literal["confirmation_sent"] = "confirmation_sent"
