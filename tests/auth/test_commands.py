"""`python -m src keys` and `clients`: what they do, print and refuse."""

import asyncio
import sys
from typing import Any

import asyncpg
import pytest

from src import cli
from src.auth.tokens.opaque_tokens import secret_digest
from src.config import Settings
from tests.command_line import refusal
from tests.support import query


@pytest.fixture(autouse=True)
def _settings(settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line reads the settings of the test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(settings.data_dir)
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ENVIRONMENT", "test")


class CommandLine:
    """`python -m src`, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str) -> str:
        """What a command prints."""
        self._monkeypatch.setattr(sys, "argv", ["python -m src", *arguments])
        cli.main()
        printed = self._capsys.readouterr()
        assert printed.err == ""
        return printed.out

    def refusal(self, *arguments: str) -> tuple[object, str]:
        """The exit status of a command that is refused, and the last line of what it says."""
        status, told = refusal(self._capsys, self._monkeypatch, *arguments)
        return status, told.splitlines()[-1]


@pytest.fixture
def plaza(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line."""
    return CommandLine(capsys, monkeypatch)


def stored(url: str, sql: str) -> list[Any]:
    """The first column of what is stored."""
    found: list[asyncpg.Record] = asyncio.run(query(url, sql))
    return [row[0] for row in found]


def test_rotating_says_which_key_signs_from_when(plaza: CommandLine, database_url: str) -> None:
    told = plaza("keys", "rotate")
    [kid] = stored(database_url, "SELECT kid FROM signing_keys WHERE retired_at IS NULL")
    ending = "Older tokens hold until they expire."
    assert told == f"{kid} signs 10 minutes from now. {ending}\n"
    [first] = stored(database_url, "SELECT kid FROM signing_keys WHERE retired_at > now()")
    assert first != kid


def test_the_list_says_what_each_key_does(plaza: CommandLine) -> None:
    [first, what] = plaza("keys", "list").split("  ")
    assert what == "signs; it is that of JWT_PRIVATE_KEY\n"
    next_ = plaza("keys", "rotate").split()[0]
    newest, oldest = plaza("keys", "list").splitlines()
    assert newest.startswith(f"{next_}  is published; signs from 20")
    assert oldest == f"{first}  signs"
    plaza("keys", "rotate", "--revoke-old")
    newest, *others = plaza("keys", "list").splitlines()
    assert newest.endswith("  signs")
    assert all("  has ended 20" in line for line in others)


def test_in_an_emergency_a_key_signs_at_once(plaza: CommandLine) -> None:
    assert " signs 5 seconds from now. " in plaza("keys", "rotate", "--now")


def test_rotating_after_a_leak_ends_every_other_key(plaza: CommandLine, database_url: str) -> None:
    plaza("keys", "rotate")
    told = plaza("keys", "rotate", "--revoke-old")
    [kid] = stored(database_url, "SELECT kid FROM signing_keys WHERE retired_at IS NULL")
    assert told == f"{kid} signs from now on. Within 5 seconds, no older token is taken.\n"
    assert len(stored(database_url, "SELECT kid FROM signing_keys WHERE retired_at < now()")) == 2


def test_a_new_client_is_told_its_secret_once(plaza: CommandLine, database_url: str) -> None:
    told = plaza(
        "clients", "add", " Магазин ", "--scope", "posts:read", "profile:read posts:read",
        "--scope", "tokens:introspect",
    )  # fmt: skip
    client_id, secret = (line.partition("=")[2] for line in told.splitlines())
    assert told == f"client_id={client_id}\nclient_secret={secret}\n"
    [digest] = stored(database_url, "SELECT secret_hash FROM oauth_clients")
    assert digest == secret_digest(secret)
    listed = plaza("clients", "list")
    assert listed == f"{client_id}  Магазин  (posts:read profile:read tokens:introspect)\n"
    assert (
        plaza("clients", "remove", client_id)
        == "Магазин is removed, and 0 of its sessions ended.\n"
    )
    assert plaza("clients", "list") == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys",),
        ("keys", "nonsense"),
        ("keys", "rotate", "extra"),
        ("clients",),
        ("clients", "add"),
        ("clients", "add", "Shop"),
        ("clients", "add", "Shop", "--scope"),
        ("clients", "add", "Shop", "--scope", ""),
        ("clients", "add", "Shop", "--scope", "admin"),
        ("clients", "add", "Shop", "--scope", "posts:read", "POSTS:WRITE"),
        ("clients", "add", "Shop", "--scope", "posts:read posts:write admin"),
        ("clients", "add", "--scope", "posts:read", "profile:read"),
        ("clients", "add", "", "--scope", "posts:read"),
        ("clients", "add", "  ", "--scope", "posts:read"),
        ("clients", "add", "x" * 101, "--scope", "posts:read"),
        ("clients", "add", "two\nlines", "--scope", "posts:read"),
        ("clients", "add", "\x1b[31m", "--scope", "posts:read"),
        ("clients", "add", "\udcff", "--scope", "posts:read"),
        ("clients", "remove"),
        ("clients", "list", "extra"),
    ],
)
def test_wrong_arguments_change_nothing(
    plaza: CommandLine, database_url: str, arguments: tuple[str, ...]
) -> None:
    status, told = plaza.refusal(*arguments)
    assert status == 2
    assert told.startswith("python -m src")
    assert ": error: " in told
    assert stored(database_url, "SELECT action FROM audit_log") == []


def test_a_client_that_is_not_there_cannot_be_removed(
    plaza: CommandLine, database_url: str
) -> None:
    assert plaza.refusal("clients", "remove", "x") == (1, "There is no client x")
    assert stored(database_url, "SELECT action FROM audit_log") == []


@pytest.mark.parametrize("command", [("keys", "rotate"), ("clients", "list")])
def test_a_database_that_is_not_migrated_is_said_in_a_line(
    plaza: CommandLine, database_url: str, command: tuple[str, ...]
) -> None:
    asyncio.run(query(database_url, "DROP TABLE signing_keys, oauth_clients"))
    status, told = plaza.refusal(*command)
    assert status == 1
    assert "does not exist" in told


def test_wrong_settings_are_said_before_anything_is_done(
    plaza: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCRYPT_ROUNDS", "99")
    status, told = plaza.refusal("keys", "rotate")
    assert status == 2
    assert "BCRYPT_ROUNDS" in told
