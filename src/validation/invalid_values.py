"""What is wrong with a value: a stable type, and words for people in every language.

The words are in templates/errors, by type. What is in braces is a limit or a choice of ours, never
something that the caller sent.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args

from pydantic import Field
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ErrorType
from typing_extensions import TypedDict  # pydantic asks for it before Python 3.12

from src.config import PROJECT_ROOT
from src.locales import DEFAULT_LOCALE, LOCALES, Locale

INVALID = "invalid"
# Pydantic's own types, by ours. What is not here is `invalid`: it tells nothing, so no schema
# should lead to it.
OF_PYDANTIC = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "invalid_key": "unknown_field",
    "json_invalid": "json_invalid",
    "model_type": "not_an_object",
    "model_attributes_type": "not_an_object",
    "dict_type": "not_an_object",
    "string_type": "not_text",
    "string_unicode": "not_text",
    "string_too_short": "text_too_short",
    "string_too_long": "text_too_long",
    "string_pattern_mismatch": "text_malformed",
    "int_type": "not_a_number",
    "int_parsing": "not_a_number",
    "int_parsing_size": "not_a_number",
    "int_from_float": "not_a_whole_number",
    "finite_number": "not_a_number",
    "greater_than_equal": "number_too_small",
    "less_than_equal": "number_too_large",
    "bool_type": "not_a_boolean",
    "bool_parsing": "not_a_boolean",
    "list_type": "not_a_list",
    "too_short": "list_too_short",
    "too_long": "list_too_long",
    "literal_error": "not_a_choice",
    "datetime_type": "date_time_invalid",
    "datetime_parsing": "date_time_invalid",
    "datetime_from_date_parsing": "date_time_invalid",
    "datetime_object_invalid": "date_time_invalid",
    "timezone_aware": "date_time_without_offset",
    "uuid_type": "id_invalid",
    "uuid_parsing": "id_invalid",
}
_LIMITS = {"min_length": "min", "ge": "min", "max_length": "max", "le": "max"}
_ALL_OF_PYDANTIC = frozenset(get_args(ErrorType))
_QUOTED = re.compile("'([^']*)'")


def _read(locale: Locale) -> dict[str, dict[str, str]]:
    return tomllib.loads((PROJECT_ROOT / f"templates/errors/{locale}.toml").read_text("utf-8"))


_texts = {locale: _read(locale) for locale in LOCALES}


def invalid(type: str, **parameters: str | int) -> PydanticCustomError:  # noqa: A002 - the wire's name
    """What a validator raises."""
    return PydanticCustomError(type, _texts[DEFAULT_LOCALE]["values"][type], parameters)


class FieldError(TypedDict):
    """What is wrong with one value, as it is told; the value itself is not repeated."""

    loc: Annotated[list[str | int], Field(description="Where it is, such as body, title")]
    msg: Annotated[str, Field(description="For people, in the language of the request")]
    type: Annotated[str, Field(description="For programs: it never changes")]


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """What is wrong, and where: a name or an index for each step into the request."""

    loc: tuple[str | int, ...]
    type: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    text: str = ""  # for a type without words

    @classmethod
    def of_pydantic(cls, error: Mapping[str, Any]) -> "InvalidValue":
        """An error of pydantic's, without the value that it holds."""
        kind, context = error["type"], error.get("ctx", {})
        if kind not in _ALL_OF_PYDANTIC:
            return cls(error["loc"], kind, context, error["msg"])
        if kind == "string_too_short" and context["min_length"] == 1:
            return cls(error["loc"], "text_empty")
        parameters = {
            ours: context[theirs] for theirs, ours in _LIMITS.items() if theirs in context
        }
        if kind == "literal_error":
            parameters["choices"] = ", ".join(_QUOTED.findall(context["expected"]))
        return cls(error["loc"], OF_PYDANTIC.get(kind, INVALID), parameters)

    def message(self, locale: Locale) -> str:
        """It in words."""
        words = _texts[locale]["values"].get(self.type)
        return words.format_map(self.parameters) if words else self.text


def translated(title: str, locale: Locale) -> str:
    """The title of a problem in another language, where there are words for it."""
    return _texts[locale].get("titles", {}).get(title, title)
