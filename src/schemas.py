"""What every schema shares: strict input and the text that may be stored."""

import re
from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

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


# Text of several lines; PostgreSQL cannot store NUL, and UTF-8 has no lone surrogates.
Text = Annotated[str, AfterValidator(_storable)]
# One line of printable text, without blanks around it.
Line = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_single_line)]

Item = TypeVar("Item")


class Input(BaseModel):
    """The base of everything that comes in: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Update(Input):
    """The base of a PATCH: a field left out stays as it is; null is not a value."""

    @model_validator(mode="after")
    def _refuse_null(self) -> Self:
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("Leave a field out to keep it; null is not a value")
        return self


class Output(BaseModel):
    """The base of everything that goes out."""

    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: str | None
