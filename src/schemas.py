"""What every schema shares: strict input, and the types of text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as RowUUID  # noqa: N811
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from src.validation.invalid_values import invalid
from src.validation.text import MAX_GROWTH, NotTextError, text_in_lines, text_in_one_line

MAX_FIELDS = 100
_CANONICAL_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def canonical_uuid(text: str) -> UUID | None:
    """The id that a text is in its canonical form (RFC 9562, section 4), if it is one.

    It is of asyncpg's subclass, as in rows, which is made and sent in a tenth of the time.
    """
    return RowUUID(text) if _CANONICAL_UUID.fullmatch(text) else None


def _not_a_number(value: object) -> object:
    """Pydantic would take a number as seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    raise invalid("date_time_invalid")


def _no_other_form(value: object) -> object:
    """Pydantic would take braces, a prefix, and no hyphens at all."""
    if isinstance(value, str) and not canonical_uuid(value):
        raise invalid("id_invalid")
    return value


Id = Annotated[UUID, BeforeValidator(_no_other_form)]
# A point in time with its offset, as in `2026-03-01T12:00:00Z`.
Timestamp = Annotated[AwareDatetime, BeforeValidator(_not_a_number)]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Text:
    """Marks a `str` as text that others read (src.validation.text): `Annotated[str, Text(80)]`.

    It comes out in NFC, has at most `max_length` characters then, and shows something. It has one
    line, without white space around it, or several `lines`. What may be `empty` is never blank.
    """

    max_length: int
    lines: bool = False
    empty: bool = False

    def __get_pydantic_core_schema__(
        self, source: type[str], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate what is a string already."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Only lengths: which characters show something, no pattern says in every language."""
        least = {} if self.empty else {"minLength": 1}
        return handler(schema) | least | {"maxLength": self.max_length}

    def _checked(self, raw: str) -> str:
        if not raw.strip():
            if self.empty:
                return ""
            raise invalid("text_empty")
        if len(raw) > self.max_length * MAX_GROWTH:
            raise invalid("text_too_long", max=self.max_length)
        try:
            text = text_in_lines(raw) if self.lines else text_in_one_line(raw)
        except NotTextError as error:
            raise invalid(error.fault) from None
        if len(text) > self.max_length:
            raise invalid("text_too_long", max=self.max_length)
        return text


class Input(BaseModel):
    """The base of everything that comes in: unchangeable, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _bound_fields(cls, data: object) -> object:
        """One error for a flood of fields, which would each get their own."""
        if isinstance(data, dict) and len(data) > MAX_FIELDS:
            raise invalid("too_many_fields", max=MAX_FIELDS)
        return data


def left_out() -> Any:
    """The default of a field that may be left out, but not be null.

    In a PATCH, what is left out stays as it is.
    """
    return Field(default_factory=lambda: None)


def may_be_missing(*names: str) -> Callable[[dict[str, Any]], None]:
    """What says in the schema of an answer that it has those fields only sometimes."""

    def tell(schema: dict[str, Any]) -> None:
        schema["required"] = [name for name in schema["required"] if name not in names]

    return tell


class Output(BaseModel):
    """The base of everything that goes out."""

    # Whatever has a default is sent all the same.
    model_config = ConfigDict(
        from_attributes=True, json_schema_serialization_defaults_required=True
    )


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: Annotated[str | None, Field(description="Null on the last page")]
