"""Errors are told in words for people, in the caller's language, under types that stay."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic_core.core_schema import ErrorType

from src.config import PROJECT_ROOT, Settings
from src.locales import LOCALES, preferred_locale
from src.main import API_ROUTERS
from src.validation.invalid_values import INVALID, OF_PYDANTIC, InvalidValue, _texts
from src.validation.settings import validating_with
from tests.support import own_errors

VALUES = _texts["en"]["values"]
PARAMETER = re.compile(r"\{(\w+)\}")
CYRILLIC = re.compile("[\u0430-\u044f\u0451]", re.IGNORECASE)
NOT_FOR_PEOPLE = re.compile(r"Value error|should|valid dictionary|pattern|regex|\^|\\|\{")
WRONG: list[Any] = [None, True, 7, -7, 1.5, 10**30, float("nan"), "", " ", "x", "-", "\u200b"]
WRONG += ["\ud800", "a\0b", "a\nb", "x" * 200_000, [], [1], ["x"] * 200, {}, {"x": 1}]
WRONG += ["a\u0301" + "\u0301" * 20, "2026-01-01", "2026-01-01T00:00:00", "2026-99-99T00:00:00Z"]
WRONG += ["password", "ann@x.invalid", [["x"]], [{}], ["\u200b"], {f"x{i}": 1 for i in range(101)}]


def raised_types() -> Iterator[tuple[str, str]]:
    """Every type of an invalid value that the source names, and where."""
    for path in (PROJECT_ROOT / "src").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            named = [word.value for word in call.keywords if word.arg == "type"]
            if name in {"invalid", "Weakness", "PydanticCustomError"}:
                named += call.args[:1]
            elif name != "at":
                continue
            for value in named:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value, path.name


def parameters(dependant: Dependant) -> Iterator[tuple[str, Any]]:
    """Every parameter of a route and of what it depends on, as FastAPI validates it."""
    places = ("path", "query", "header", "body")
    for place in places:
        for field in getattr(dependant, f"{place}_params"):
            yield place, field
    for needed in dependant.dependencies:
        yield from parameters(needed)


def bodies(field: Any) -> Iterator[object]:
    """Wrong values of a parameter, and of each field of a model."""
    yield from WRONG
    for name in getattr(field.field_info.annotation, "model_fields", {}):
        for value in WRONG:
            yield {name: value}


def test_every_language_has_the_same_types_and_limits() -> None:
    for locale in LOCALES:
        words = _texts[locale]["values"]
        assert words.keys() == VALUES.keys()
        for kind, text in words.items():
            assert set(PARAMETER.findall(text)) == set(PARAMETER.findall(VALUES[kind])), kind
    for kind, text in _texts["ru"]["values"].items():
        assert CYRILLIC.search(text), kind


def test_the_types_of_the_source_have_words() -> None:
    found = dict(raised_types())
    assert {"username_invalid", "password_too_short", "text_empty", "cursor_invalid"} <= set(found)
    assert {kind: where for kind, where in found.items() if kind not in VALUES} == {}


def test_pydantics_types_are_its_own_and_lead_to_words() -> None:
    assert set(OF_PYDANTIC) <= set(get_args(ErrorType))
    assert set(OF_PYDANTIC.values()) <= set(VALUES)


def test_every_title_is_in_every_language() -> None:
    titles = {kind.title for kind in own_errors()}
    assert len(titles) > 40
    assert titles - _texts["ru"]["titles"].keys() == set()
    assert all(CYRILLIC.search(title) for title in _texts["ru"]["titles"].values())


def test_no_wrong_value_of_any_route_gets_words_of_a_library(
    settings_without_database: Settings, subtests: pytest.Subtests
) -> None:
    seen: set[str] = set()
    routes = [r for router in API_ROUTERS for r in router.routes if isinstance(r, APIRoute)]
    with validating_with(settings_without_database):
        for route in routes:
            for place, field in parameters(route.dependant):
                with subtests.test(f"{route.path} {place} {field.name}"):
                    for value in bodies(field):
                        _, errors = field.validate(value, loc=(place,))
                        for error in errors or ():
                            seen.add(check(error))
    assert {"missing", "unknown_field", "text_invisible", "password_too_common"} <= seen
    assert INVALID not in seen


def check(error: Mapping[str, Any]) -> str:
    """The type of an error whose words are fit for people."""
    value = InvalidValue.of_pydantic(error)
    assert value.type in VALUES, error
    assert value.type != INVALID, error
    for locale in LOCALES:
        assert value.message(locale)
        assert not NOT_FOR_PEOPLE.search(value.message(locale)), value.message(locale)
    return value.type


@pytest.fixture
def settings_without_database(tmp_path: Any) -> Settings:
    return Settings(_env_file=None, environment="test", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("", "en"),
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en;q=0.8, ru;q=0.9", "ru"),
        ("de, ru;q=0.1", "ru"),
        ("ru;q=0", "en"),
        ("ru;q=0.5, en", "en"),
        ("*", "en"),
        ("RU", "ru"),
        ("ru;q=x, en;q=0.1", "en"),
        ("\u00e9" * 10_000, "en"),
    ],
)
def test_the_language_is_what_the_caller_wants_most(header: str, locale: str) -> None:
    assert preferred_locale(header) == locale
