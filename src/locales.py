"""The languages of mails, pages and errors."""

from typing import Literal, get_args

from starlette.types import Scope
from typing_extensions import TypeAliasType

Locale = TypeAliasType("Locale", Literal["en", "ru"])
DEFAULT_LOCALE: Locale = "en"
LOCALES: tuple[Locale, ...] = get_args(Locale.__value__)
MAX_HEADER_LENGTH = 500


def preferred_locale(accept_language: str) -> Locale:
    """The supported language that an Accept-Language header wants most (RFC 9110, 12.5.4)."""
    best, best_quality = DEFAULT_LOCALE, 0.0
    for item in accept_language[:MAX_HEADER_LENGTH].split(","):
        tag, _, parameter = item.strip().lower().partition(";")
        language = tag.split("-")[0].strip()
        quality = _quality(parameter)
        for locale in LOCALES:
            if locale == language and quality > best_quality:
                best, best_quality = locale, quality
    return best


def locale_of(scope: Scope) -> Locale:
    """The supported language that a request wants most."""
    wanted = b",".join(value for name, value in scope["headers"] if name == b"accept-language")
    return preferred_locale(wanted.decode("latin-1"))


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
