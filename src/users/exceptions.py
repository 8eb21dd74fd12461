"""Errors about users."""

from typing import ClassVar

from src.exceptions import ConflictError


class UsernameTakenError(ConflictError):
    """Somebody else has that username."""

    code = "username_taken"
    title = "That username is taken"
    constraint: ClassVar[str | None] = "uq_users_username"


class UsernameReservedError(ConflictError):
    """Nobody takes that username, since they might be taken for somebody else."""

    code = "username_reserved"
    title = "That username is reserved"


class LastAdministratorError(ConflictError):
    """Nobody would be left to manage users."""

    code = "last_administrator"
    title = "The last administrator stays"
