"""What several settings are made of."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from limits import parse_many

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def seconds(value: object) -> object:
    """A number of seconds, where that is what is written."""
    return float(value) if isinstance(value, str) and _SECONDS.fullmatch(value.strip()) else value


# Seconds, HH:MM:SS or an ISO 8601 duration such as P14D; a hundred years from now is still a date.
LONGEST = timedelta(days=36500)
Duration = Annotated[timedelta, BeforeValidator(seconds), Field(gt=timedelta(0), le=LONGEST)]
# What PostgreSQL can count.
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
# From what it does not take for no limit, to a day.
Wait = Annotated[float, Field(ge=0.001, le=86400)]


def _rate_limit(value: str) -> str:
    with suppress(ValueError):  # it repeats the value
        match parse_many(value):
            case [limit] if limit.amount > 0 and 0 < limit.get_expiry() <= LONGEST.total_seconds():
                return value
    raise ValueError("must be one limit of one request or more, such as 1200/minute")


# A number and a time, such as 100/minute or 1000 per 5 minutes.
RateLimit = Annotated[str, AfterValidator(_rate_limit)]


# A header's name (RFC 9110, section 5.1).
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'+.^_`|~0-9A-Za-z-]+$")]


def _listed(value: object) -> object:
    if isinstance(value, str):
        return [item.strip().removesuffix("/") for item in value.split(",") if item.strip()]
    return value


# Before the type of a list: it is written with commas between its items.
COMMAS = (NoDecode, BeforeValidator(_listed))


def secret_that(check: Callable[[str], object]) -> AfterValidator:
    """For the type of a secret: the check raises a ValueError at what it cannot use."""

    def checked(value: SecretStr) -> SecretStr:
        if value:
            check(value.get_secret_value())
        return value

    return AfterValidator(checked)


class SettingsGroup(BaseSettings):
    """The settings of one concern. No error repeats a value."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _utf8(cls, value: object) -> object:
        """What is no UTF-8 in the environment comes as halves of characters."""
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise ValueError("is not UTF-8") from None
        return value
