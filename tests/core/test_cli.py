"""The command line: what it prints, and how it says what is wrong."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from src import cli
from src.config import PROJECT_ROOT, Settings
from tests.core.support import query

TIMEOUT_SECONDS = 60


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    """The environment of a local start."""
    return {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url,
        "ENVIRONMENT": "test",
    }


def run(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m src …`."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "src", *arguments],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def refusal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[object, str]:
    """The exit status and the words of a command that is refused."""
    monkeypatch.setattr(sys, "argv", ["python -m src", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return exit_.value.code, printed.err


@pytest.fixture
def settings_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those of the test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_openapi_prints_the_document_whatever_the_environment(
    environment: dict[str, str],
) -> None:
    done = run(environment | {"ENVIRONMENT": "production"}, "openapi")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads((PROJECT_ROOT / "docs/openapi.json").read_text())


async def test_two_migrations_at_once_take_turns(
    environment: dict[str, str], database_url: str
) -> None:
    await query(database_url, "DROP SCHEMA public CASCADE")
    await query(database_url, "CREATE SCHEMA public")
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(run, environment, "migrate") for _ in range(2)]
    for done in runs:
        assert done.result().returncode == 0, done.result().stderr
    assert len(await query(database_url, "SELECT FROM alembic_version")) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "private-value"),
        ("BCRYPT_ROUNDS", "99"),
        ("CORS_ORIGINS", "*"),
        ("JWT_PRIVATE_KEY", "private-value"),
        ("SMTP_URL", "http://user:private-value@mail.example"),
        ("DATABASE_URL", "mysql://user:private-value@db.example/plaza"),
        ("DATABASE_URL", "postgresql+asyncpg://user:private-value@db.example/plaza"),
    ],
)
@pytest.mark.usefixtures("settings_from_here")
def test_a_wrong_setting_is_named_without_its_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    status, told = refusal(capsys, monkeypatch, "openapi")
    assert status == 2
    assert name in told
    assert "private-value" not in told


@pytest.mark.parametrize("command", ["serve", "migrate"])
@pytest.mark.usefixtures("settings_from_here")
def test_production_without_settings_says_what_to_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    status, told = refusal(capsys, monkeypatch, command)
    assert status == 2
    for name in ("DATABASE_URL", "PUBLIC_URL", "SECRET_KEY", "JWT_PRIVATE_KEY", "SMTP_URL"):
        assert f"set {name}" in told


@pytest.mark.usefixtures("settings_from_here")
def test_a_database_that_is_away_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://plaza:private-value@127.0.0.1:1/plaza")
    status, told = refusal(capsys, monkeypatch, "migrate")
    assert status == 1
    assert "database" in told.lower()
    assert "private-value" not in told
    assert len(told) < 300


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["serve", "extra"]])
def test_another_command_gets_the_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    status, told = refusal(capsys, monkeypatch, *arguments)
    assert status == 2
    assert told.startswith("usage: python -m src")
