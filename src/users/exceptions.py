"""Errors about users."""

from src.exceptions import ConflictError


class UsernameTakenError(ConflictError):
    """Somebody else has that username."""

    code = "username_taken"
    title = "That username is taken"
    constraint = "uq_users_username"
