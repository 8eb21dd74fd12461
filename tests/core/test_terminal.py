"""People at a terminal get tables and see what is waited for; scripts get neither."""

import re
from pathlib import Path

import pytest

from tests.command_line import at_a_terminal, read_until, run
from tests.support import query

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


@pytest.fixture
def terminal(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a terminal of 80 columns."""
    return environment | {"TERM": "xterm", "COLUMNS": "80"}


def shown(environment: dict[str, str], *arguments: str, output: Path | None = None) -> str:
    """All that a command shows at a terminal."""
    with at_a_terminal(environment, *arguments, output=output) as (other_end, _):
        return read_until(other_end, "")


async def add_client(database_url: str, name: str) -> None:
    """A client that is called so, with the id `shop`."""
    insert = "INSERT INTO oauth_clients VALUES ('shop', $1, '', 'posts:read', now())"
    await query(database_url, insert, name)


async def test_clients_are_a_table_and_lines_for_scripts(
    terminal: dict[str, str], database_url: str
) -> None:
    await add_client(database_url, "[red]Shop[/]")
    table = _ESCAPE.sub("", shown(terminal, "clients", "list"))
    assert re.search(r"^ +Id +Name +Scopes", table, re.MULTILINE)
    assert re.search(r"^ +shop +\[red\]Shop\[/\] +posts:read", table, re.MULTILINE)
    forced = terminal | {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}
    assert run(forced, "clients", "list").stdout == "shop  [red]Shop[/]  (posts:read)\n"


def test_keys_are_a_table(terminal: dict[str, str]) -> None:
    kid = run(terminal, "keys", "rotate").stdout.split()[0]
    table = _ESCAPE.sub("", shown(terminal, "keys", "list"))
    assert re.search(r"^ +Key +What it does", table, re.MULTILINE)
    assert re.search(rf"^ +{kid} +is published", table, re.MULTILINE)


def test_a_terminal_sees_what_is_waited_for(terminal: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "output"
    told = shown(terminal, "migrate", output=output)
    assert "Migrating the database" in told
    assert _COLOUR.search(told)
    assert output.read_text() == ""
    assert not _COLOUR.search(shown(terminal | {"NO_COLOR": "1"}, "migrate"))


def test_scripts_do_not(terminal: dict[str, str]) -> None:
    done = run(terminal | {"FORCE_COLOR": "1"}, "migrate")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_an_output_that_knows_few_letters_fails_nothing(
    environment: dict[str, str], database_url: str
) -> None:
    await add_client(database_url, "Да")
    western = environment | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}
    done = run(western, "clients", "remove", "shop")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\\u0414\\u0430 is removed, and 0 of its sessions ended.\n"
