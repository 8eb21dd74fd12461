"""The image and `compose.yaml` name what is there, and have what the code needs."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.main import get_group

from src.cli import commands
from src.config import PROJECT_ROOT, Settings
from tests.docs.support import section

DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()
COMPOSE = (PROJECT_ROOT / "compose.yaml").read_text()
_SHARED = re.compile(r"^x-plaza:.*?^  environment:\n(.*?)^\S", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r'^ +([A-Z_]+): "?(.*?)"?$', re.MULTILINE)
_COMMAND = re.compile(r'^    command: \["(\w+)"\]$', re.MULTILINE)
_OPENED = re.compile(r'PROJECT_ROOT / "([^"/]+)"')


def compose_settings() -> dict[str, str]:
    """The settings that `compose.yaml` gives every process; PGPASSWORD is the driver's."""
    found = _SHARED.search(COMPOSE)
    assert found
    return {name: value for name, value in _VARIABLE.findall(found[1]) if name != "PGPASSWORD"}


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_the_image_has_a_python_that_the_project_takes() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    found = re.search(r"^FROM python:(\d+\.\d+)-", DOCKERFILE, re.MULTILINE)
    assert found
    assert version(found[1]) >= version(project["requires-python"].removeprefix(">="))


def test_the_image_has_every_file_that_the_code_opens() -> None:
    code = "\n".join(path.read_text() for path in (PROJECT_ROOT / "src").rglob("*.py"))
    copied = set(" ".join(re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)).split())
    sent = set(re.findall(r"^!(.+)$", (PROJECT_ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == sent
    assert {"src", "alembic", *_OPENED.findall(code)} <= copied


def test_compose_names_settings_and_commands_that_exist() -> None:
    assert {name.lower() for name in compose_settings()} <= Settings.model_fields.keys()
    assert set(_COMMAND.findall(COMPOSE)) == get_group(commands).commands.keys() - {"openapi"}


def test_operations_name_every_setting_that_compose_leaves_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    given = compose_settings()
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None)
    missing = re.findall(r"set ([A-Z_]+)", str(refused.value))
    assert missing
    operations = section((PROJECT_ROOT / "docs/operations.md").read_text(), "With Docker")
    assert not [name for name in missing if f"`{name}`" not in operations]
