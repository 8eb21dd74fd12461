"""`.env.dist` names every setting with its default."""

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from src.config import PROJECT_ROOT, Settings

ENV_DIST = PROJECT_ROOT / ".env.dist"
_LINE = re.compile(r"^# ([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
_RECIPE = re.compile(r"^#   (\S.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _only_env_dist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting comes from the machine, and secrets are made in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def uncommented() -> str:
    """The file with every default in force."""
    return _LINE.sub(r"\1=\2", ENV_DIST.read_text())


def recipes() -> list[str]:
    """The commands that make secrets."""
    return _RECIPE.findall(ENV_DIST.read_text())


def test_it_names_every_setting_in_the_order_of_the_code() -> None:
    named = [name for name, _ in _LINE.findall(ENV_DIST.read_text())]
    assert named == [name.upper() for name in Settings.model_fields]


def test_as_it_is_it_sets_nothing() -> None:
    assert Settings(_env_file=ENV_DIST) == Settings(_env_file=None)


def test_its_values_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(uncommented())
    assert Settings(_env_file=file) == Settings(_env_file=None)


def test_it_shows_every_default() -> None:
    shown = {name.lower() for name, value in _LINE.findall(ENV_DIST.read_text()) if value}
    secret = SecretStr("")
    with_default = {
        name
        for name, field in Settings.model_fields.items()
        if field.default not in (None, "", [], secret)
    }
    assert shown == with_default


@pytest.mark.parametrize("value", ["600", "00:10:00", "PT10M"])
def test_durations_are_read_as_it_says(tmp_path: Path, value: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"ACCESS_TOKEN_LIFETIME={value}\n")
    assert Settings(_env_file=file).access_token_lifetime == timedelta(minutes=10)


@pytest.mark.parametrize("recipe", recipes())
def test_its_commands_make_secrets_that_production_takes(tmp_path: Path, recipe: str) -> None:
    if "openssl" in recipe and shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = subprocess.run(
        ["/bin/sh", "-c", recipe], capture_output=True, text=True, check=True
    ).stdout
    line = made if made.startswith("JWT_PRIVATE_KEY=") else f"SECRET_KEY={made}"
    file = tmp_path / ".env"
    file.write_text(f"{line}MAIL_FROM=Plaza <after@the.secret>\n")
    settings = Settings(_env_file=file)
    assert settings.mail_from == "Plaza <after@the.secret>"
    made_here = Settings(_env_file=None)
    keys = (settings.secret_key, settings.jwt_private_key)
    assert keys != (made_here.secret_key, made_here.jwt_private_key)
    if line is made:
        assert settings.jwt_private_key.get_secret_value() == made.partition('"')[2].rstrip('\n"')
    else:
        assert settings.secret_key.get_secret_value() == made.strip()
