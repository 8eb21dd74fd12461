"""Domain errors with stable codes; src.http.problems is how they are answered."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from src.validation.invalid_values import FieldError, InvalidValue


class AppError(Exception):
    """A failure with a meaning: subclasses set status, code and title.

    `detail` says what is wrong this time, `headers` and `fields` are added to the answer. `members`
    are the types of those fields that it always has.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "Bad request"
    members: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = dict(headers or {})
        self.fields = fields


class MalformedRequestError(AppError):
    """Not HTTP, or ambiguous (RFC 9112)."""

    status = 400
    code = "bad_request"
    title = "The request could not be read"


class NotFoundError(AppError):
    """There is no such thing, or the caller may not see it."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowedError(AppError):
    """A method that this resource lacks (RFC 9110, section 15.5.6)."""

    status = 405
    code = "method_not_allowed"
    title = "This resource does not know that method"


class ConflictError(AppError):
    """The request contradicts what is stored.

    A subclass may name the database `constraint` whose violation means it; the violation is then
    answered with that error, so that no look before the write is needed.
    """

    status = 409
    code = "conflict"
    title = "Conflict with what is stored"
    constraint: ClassVar[str | None] = None
    by_constraint: ClassVar[dict[str, type["ConflictError"]]] = {}

    def __init_subclass__(cls) -> None:
        if cls.constraint:
            cls.by_constraint[cls.constraint] = cls


class PreconditionFailedError(AppError):
    """`If-Match` names another version than the stored one (RFC 9110, section 13.1.1)."""

    status = 412
    code = "precondition_failed"
    title = "The resource has changed since you read it"


class ContentTooLargeError(AppError):
    """A body that is longer than the route takes (RFC 9110, section 15.5.14)."""

    status = 413
    code = "content_too_large"
    title = "The request body is too large"


class UnsupportedMediaTypeError(AppError):
    """A body that is not JSON, or is compressed (RFC 9110, section 15.5.16)."""

    status = 415
    code = "unsupported_media_type"
    title = "The request body has an unsupported media type"


class InvalidInputError(AppError):
    """A value that the schema lets through but the rules do not."""

    status = 422
    code = "validation_error"
    title = "The request is not valid"
    members: ClassVar[Mapping[str, Any]] = {"errors": list[FieldError]}

    def __init__(self, detail: str | None = None, errors: Sequence[InvalidValue] = ()) -> None:
        super().__init__(detail)
        self.errors = errors

    @classmethod
    def at(cls, *loc: str, type: str, **parameters: int) -> "InvalidInputError":  # noqa: A002 - the wire's name
        """The error of one value, in the form of every other validation error."""
        return cls(errors=[InvalidValue(loc, type, parameters)])


class InternalError(AppError):
    """The application failed, or ended without an answer."""

    status = 500
    code = "internal_error"
    title = "Something went wrong on our side"


class OverloadedError(AppError):
    """A bounded queue is full or its wait too long."""

    status = 503
    code = "overloaded"
    title = "Too busy to answer now"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class DatabaseUnavailableError(OverloadedError):
    """PostgreSQL cannot be reached; `reason` is the kind of error, for the log."""

    code = "database_unavailable"
    title = "The database cannot be reached"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class DatabaseRefusedError(DatabaseUnavailableError):
    """PostgreSQL, or its client, takes no connection with DATABASE_URL."""

    def __str__(self) -> str:
        return f"DATABASE_URL: no connection with it, look at all of its parts ({self.reason})"
