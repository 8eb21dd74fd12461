"""What the documentation names is there."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from typer.main import get_group

from src.cli import command_line
from src.config import PROJECT_ROOT, Settings
from src.main import API_PREFIX, create_app
from tests.docs.support import README, documents, headed_blocks, prose, section

COMMANDS = get_group(command_line()).commands.keys()
DECISIONS = PROJECT_ROOT / "docs/decisions"
_PATH = re.compile(
    r"(?<![\w/.-])((?:src|tests|docs|alembic|templates|requirements|benchmarks)/[\w./*-]*[\w/*]"
    r"|[\w-]+\.(?:ini|toml|md)|\.env\.dist|Makefile)"
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CONSTANT = re.compile(r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")
_COMMAND_LINE = re.compile(r"^(?: {4})?make .*$", re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
_COMMAND = re.compile(r"python3? -m src ([a-z-]+)")
_ENDPOINT = re.compile(r"\b(GET|POST|PATCH|PUT|DELETE) (/[\w/{}.-]*)")
_ROW = re.compile(r"^\| ((?:[A-Z]+(?:, )?)+)(?: at the root:)? (`[^|]+) \|", re.MULTILINE)
_REQUIREMENT = re.compile(r"^([a-z][\w-]*)", re.MULTILINE)

every_document = pytest.mark.parametrize(
    "document", documents(), ids=lambda path: str(path.relative_to(PROJECT_ROOT))
)


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    headings = _HEADING.findall(prose(document.read_text()))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def routes() -> set[tuple[str, str]]:
    """The method and path of every route in the OpenAPI document, parameters without a name."""
    app = create_app(Settings(_env_file=None, environment="test"))
    return {
        (method, nameless(route.path))
        for route in iter_route_contexts(app.routes)
        if isinstance(route.route, APIRoute) and route.route.include_in_schema and route.path
        for method in route.methods or ()
    }


def nameless(path: str) -> str:
    """The path with every parameter as `{}`."""
    return re.sub(r"\{\w+(:\w+)?\}", "{}", path)


@pytest.fixture(autouse=True)
def _secrets_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in _LINK.findall(document.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert target.is_relative_to(PROJECT_ROOT), link
        assert not anchor or anchor in anchors(target), link


@every_document
def test_paths_exist(document: Path) -> None:
    text = document.read_text()
    made_by_the_walk = {Path(path) for path in headed_blocks(text)}
    folders = {path.parent for path in made_by_the_walk}
    for name in _PATH.findall(_LINK.sub("", text)):
        path = Path(name)
        if path in made_by_the_walk | folders or path.parent in folders:
            continue
        assert list(document.parent.glob(name)) or list(PROJECT_ROOT.glob(name)), name


@every_document
def test_commands_exist(document: Path) -> None:
    text = document.read_text()
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    in_code = "\n".join([*_CODE.findall(text), *_COMMAND_LINE.findall(text)])
    assert set(_MAKE.findall(in_code)) <= targets
    assert set(_COMMAND.findall(text)) <= COMMANDS


@every_document
def test_settings_and_constants_exist(document: Path) -> None:
    code = "\n".join(path.read_text() for path in (PROJECT_ROOT / "src").rglob("*.py"))
    known = {name.upper() for name in Settings.model_fields} | set(re.findall(r"\w+", code))
    named = (name.partition("=")[0] for name in _CODE.findall(prose(document.read_text())))
    assert {name for name in named if _CONSTANT.match(name)} <= known


@every_document
def test_endpoints_exist(document: Path) -> None:
    known = routes() | {("GET", "/docs"), ("GET", "/redoc"), ("GET", "/dev/mailbox")}
    for method, written in _ENDPOINT.findall(" ".join(_CODE.findall(document.read_text()))):
        path = nameless(written)
        assert {(method, path), (method, API_PREFIX + path)} & known, f"{method} {written}"


def test_the_readme_lists_the_whole_api() -> None:
    listed = set()
    for methods, paths in _ROW.findall(section(README.read_text(), "The API")):
        for method in methods.split(", "):
            for path in _CODE.findall(paths):
                prefix = "" if path.startswith(("/health", "/.well-known")) else API_PREFIX
                listed.add((method, nameless(prefix + path)))
    assert listed == routes()


def test_the_readme_names_every_command() -> None:
    for command in COMMANDS:
        assert f"`{command}`" in section(README.read_text(), "Where things are")


def test_every_decision_is_listed() -> None:
    listed = set(_LINK.findall((DECISIONS / "README.md").read_text()))
    assert listed == {path.name for path in DECISIONS.glob("*.md")} - {"README.md"}


def test_every_requirement_has_its_reason() -> None:
    files = (PROJECT_ROOT / "requirements").glob("*.in")
    direct = {name for file in files for name in _REQUIREMENT.findall(file.read_text())}
    explained = (DECISIONS / "requirements.md").read_text()
    missing = {name for name in direct if not re.search(rf"(?<![\w-]){name}(?![\w-])", explained)}
    assert not missing
