"""docs/front-ends.md has every code that the API can answer, and no other."""

import re
from collections.abc import Iterator

from src.cli import main  # noqa: F401 - it imports every error
from src.config import PROJECT_ROOT
from src.exceptions import AppError

PAGE = (PROJECT_ROOT / "docs/front-ends.md").read_text()
_ROW = re.compile(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| ([^|]+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
_CODE = re.compile(r"`([a-z_]+)`")
_STATUS = re.compile(r"\b\d{3}\b")
_OAUTH_ERROR = re.compile(r"\berror=\"([a-z_]+)\"")


def kinds(of: type[AppError] = AppError) -> Iterator[type[AppError]]:
    """Every kind of error, once the application is imported."""
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def _is_answered(kind: type[AppError]) -> bool:
    """Whether it is the application's, and not of a test or a base of others."""
    return kind.__module__.startswith("src.") and not kind.__name__.startswith("_")


def answered() -> set[tuple[str, int]]:
    """Codes with their statuses."""
    return {(kind.code, kind.status) for kind in kinds() if _is_answered(kind)}


def test_every_code_is_there_with_its_status_and_no_other_is() -> None:
    documented = {
        (code, int(status))
        for codes, statuses in _ROW.findall(PAGE)
        for code in _CODE.findall(codes)
        for status in _STATUS.findall(statuses)
    }
    abstract = {("bad_request", 400)}  # of classes that others are made from
    assert documented | abstract == answered() | abstract


def test_a_code_means_one_thing() -> None:
    """RFC 6749 (section 5.2) alone wants two statuses for one error."""
    meanings: dict[str, set[tuple[int, str]]] = {}
    for kind in filter(_is_answered, kinds()):
        meanings.setdefault(kind.code, set()).add((kind.status, kind.title))
    del meanings[AppError.code]  # that of classes that others are made from
    assert [code for code, found in meanings.items() if len(found) > 1] == ["invalid_client"]


def test_every_oauth_error_is_there() -> None:
    files = (PROJECT_ROOT / "src").rglob("*.py")
    literal = {error for file in files for error in _OAUTH_ERROR.findall(file.read_text())}
    attributes = {error for kind in kinds() if (error := getattr(kind, "error", None))}
    assert literal | attributes
    for error in literal | attributes:
        assert f"`{error}`" in PAGE
