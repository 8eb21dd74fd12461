"""docs/front-ends.md has every code that the API can answer, and no other."""

import re

from src.config import PROJECT_ROOT
from src.exceptions import AppError
from tests.support import own_errors

PAGE = (PROJECT_ROOT / "docs/front-ends.md").read_text()
_ROW = re.compile(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| ([^|]+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
_CODE = re.compile(r"`([a-z_]+)`")
_STATUS = re.compile(r"\b\d{3}\b")
_OAUTH_ERROR = re.compile(r"\berror=\"([a-z_]+)\"")


def answered() -> set[tuple[str, int]]:
    """Codes with their statuses."""
    return {
        (kind.code, kind.status)
        for kind in own_errors()
        if kind is not AppError and not kind.__name__.startswith("_")
    }


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
    for kind in own_errors():
        if not kind.__name__.startswith("_"):
            meanings.setdefault(kind.code, set()).add((kind.status, kind.title))
    del meanings[AppError.code]  # that of classes that others are made from
    assert [code for code, found in meanings.items() if len(found) > 1] == ["invalid_client"]


def test_every_oauth_error_is_there() -> None:
    files = (PROJECT_ROOT / "src").rglob("*.py")
    literal = {error for file in files for error in _OAUTH_ERROR.findall(file.read_text())}
    attributes = {error for kind in own_errors() if (error := getattr(kind, "error", None))}
    assert literal | attributes
    for error in literal | attributes:
        assert f"`{error}`" in PAGE
