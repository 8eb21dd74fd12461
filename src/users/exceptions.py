"""Errors about users."""

from typing import ClassVar

from src.exceptions import ConflictError


class UsernameTakenError(ConflictError):
    """Somebody else has that username."""

    code = "username_taken"
    title = "That username is taken"
    constraint: ClassVar[str | None] = "uq_users_username"


class LastAdministratorError(ConflictError):
    """Nobody would be left to manage users."""

    code = "last_administrator"
    title = "The last administrator stays"
