"""Errors about personal access tokens."""

from src.exceptions import ConflictError


class TooManyPersonalTokensError(ConflictError):
    """The user has as many living tokens as one may have."""

    code = "too_many_personal_tokens"
    title = "You have as many personal access tokens as one may have: delete one first"
