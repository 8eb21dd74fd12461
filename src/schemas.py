"""What every schema shares: strict input and the text that may be stored."""

import re
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

MAX_FIELDS = 100
CANONICAL_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# Control characters, line and paragraph separators, and marks that reverse the text around them.
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL characters are not allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("Half of a surrogate pair is not a character") from None
    return text


def _single_line(text: str) -> str:
    if _NOT_IN_A_LINE.search(text):
        raise ValueError("Line breaks and control characters are not allowed")
    return text


def _not_a_number(value: object) -> object:
    """Pydantic would take a number as seconds since 1970."""
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("Not a date and time of RFC 3339")
    return value


def _canonical_uuid(value: object) -> object:
    """Pydantic would take braces, a prefix, and no hyphens at all."""
    if isinstance(value, str) and not CANONICAL_UUID.fullmatch(value):
        raise ValueError("Not an id")
    return value


Id = Annotated[UUID, BeforeValidator(_canonical_uuid)]
# A point in time with its offset, as in `2026-03-01T12:00:00Z`.
Timestamp = Annotated[AwareDatetime, BeforeValidator(_not_a_number)]
# After the length limits of a field. Text of several lines: PostgreSQL cannot store NUL, and UTF-8
# has no lone surrogates.
STORABLE = AfterValidator(_storable)
# One line of text.
SINGLE_LINE = AfterValidator(_single_line)

Item = TypeVar("Item")


class Input(BaseModel):
    """The base of everything that comes in: unchangeable, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _bound_fields(cls, data: object) -> object:
        """One error for a flood of fields, which would each get their own."""
        if isinstance(data, dict) and len(data) > MAX_FIELDS:
            raise ValueError("Too many fields")
        return data


def left_out() -> Any:
    """The default of a field of a PATCH: left out, it stays as it is. Null is not a value."""
    return Field(default_factory=lambda: None)


class Output(BaseModel):
    """The base of everything that goes out."""

    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: str | None
