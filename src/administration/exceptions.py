"""Errors of administration."""

from src.exceptions import ConflictError


class EmailNotVerifiedError(ConflictError):
    """A role for an account that may be of somebody else than it says."""

    code = "email_not_verified"
    title = "Roles are for users who have confirmed their e-mail address"
