"""Errors about users."""

from typing import ClassVar

from src.exceptions import ConflictError


class UsernameTakenError(ConflictError):
    """Somebody else has that username."""

    code = "username_taken"
    title = "That username is taken"
    constraint: ClassVar[str | None] = "uq_users_username"
