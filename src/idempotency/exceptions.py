"""Why an Idempotency-Key is refused."""

from src.exceptions import AppError, ConflictError


class KeyReusedError(AppError):
    """The key was used for another request."""

    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another request"


class KeyInUseError(ConflictError):
    """The first request with this key has not ended yet."""

    code = "idempotency_key_in_use"
    title = "The first request with this Idempotency-Key still runs"
