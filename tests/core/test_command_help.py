"""Help teaches, and what it says is so; a shell completes what it names."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from src.cli import command_line
from src.config import PROJECT_ROOT, Settings
from tests.command_line import at_a_terminal, read_until, run

WIDTH = 78  # of a paragraph on a terminal of 80 columns
_NAME = re.compile(r"\b[A-Z][A-Z0-9]*_?[A-Z0-9_]*[A-Z0-9]\b")
HEAVY = {"alembic", "asyncpg", "fastapi", "pydantic_settings", "sqlalchemy", "uvicorn"}

Command = TyperCommand | TyperGroup
ROOT = get_group(command_line())


def commands(group: TyperGroup = ROOT, *path: str) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Every command and group below this one, with the words that lead to it."""
    for name, command in group.commands.items():
        assert isinstance(command, TyperCommand | TyperGroup)
        yield (*path, name), command
        if isinstance(command, TyperGroup):
            yield from commands(command, *path, name)


LEAVES = [(path, one) for path, one in commands() if isinstance(one, TyperCommand)]
each_leaf = pytest.mark.parametrize(
    ("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES]
)


def examples(command: Command) -> list[list[str]]:
    """The words behind `python -m src` of every example."""
    lines = re.findall(r"^  .*python -m src ([^#|<>\n]+)", command.epilog or "", re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize(
    "command", [one for _, one in commands()], ids=[" ".join(path) for path, _ in commands()]
)
def test_help_begins_with_a_sentence_and_fits_a_terminal(command: Command) -> None:
    summary, *more = (command.help or "").split("\n\n")
    assert re.fullmatch(r"[A-Z][^.\n]*\.", summary)
    for paragraph in more:
        assert max(map(len, paragraph.splitlines())) <= WIDTH


@each_leaf
def test_every_command_has_examples_that_it_takes(
    path: tuple[str, ...], command: TyperCommand
) -> None:
    found = examples(command)
    assert found
    for words in found:
        assert tuple(words[: len(path)]) == path
        command.make_context(path[-1], words[len(path) :])


def test_the_examples_of_all_are_those_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    found = examples(ROOT)
    assert found
    for words in found:
        path, command = max(
            (one for one in LEAVES if one[0] == tuple(words[: len(one[0])])),
            key=lambda one: len(one[0]),
        )
        with suppress(typer.Exit):  # of --help
            command.make_context(path[-1], words[len(path) :])


@each_leaf
def test_every_command_names_settings_that_there_are(
    path: tuple[str, ...], command: TyperCommand
) -> None:
    told = (command.epilog or "").partition("\nSettings: ")[2]
    assert told
    names = set(_NAME.findall(told))
    assert names or told.startswith("none")
    assert {name.lower() for name in names} <= Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        ("--help", HEAVY),
        ("clients add --help", HEAVY),
        ("nonsense", HEAVY),
        ("keys list", {"alembic", "fastapi", "uvicorn"}),
    ],
)
def test_nothing_is_loaded_that_a_command_does_not_need(
    environment: dict[str, str], arguments: str, unwanted: set[str]
) -> None:
    code = f"""
import sys
from src.cli import main

sys.argv = ["", *{arguments.split()!r}]
try:
    main()
finally:
    print("loaded:", *sys.modules.keys() & {unwanted!r}, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "loaded:"


def test_help_shows_every_command_in_groups(environment: dict[str, str]) -> None:
    done = run(environment, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    ours, _, administration = done.stdout.partition("─ Administration ─")
    for name in ("serve", "worker", "migrate", "openapi"):
        assert f"│ {name} " in ours
    for name in ("create-admin", "keys", "clients"):
        assert f"│ {name} " in administration
    assert "\x1b" not in done.stdout


def test_help_is_read_on_a_terminal_without_colours(environment: dict[str, str]) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with at_a_terminal(environment | {"TERM": "xterm"} | more, "--help") as (terminal, _):
            assert bool(colour.search(read_until(terminal, ""))) is coloured


def test_a_terminal_that_knows_ascii_alone_gets_help_too(environment: dict[str, str]) -> None:
    for path in ([], ["serve"], ["clients", "add"]):
        done = run(environment | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, *path, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.isascii()


def test_bash_completes_the_program_once_it_is_told(tmp_path: Path) -> None:
    """As in a new shell, with the words so far as bash gives them."""
    complete = """
        complete_words() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _plaza_completion plaza
            echo "${COMPREPLY[@]}"
        }
    """
    program = tmp_path / "bin"
    program.symlink_to(PROJECT_ROOT / "bin")
    shell = ["/usr/bin/env", "-i", f"HOME={tmp_path}", f"PATH={program}:/usr/bin:/bin", "bash"]
    subprocess.run([*shell, "-c", "plaza --install-completion; true"], check=True)
    lines = """
        . ~/.bashrc
        complete_words plaza cre
        complete_words plaza keys ""
        complete_words plaza clients add Shop --scope prof
        complete_words plaza keys rotate --rev
    """
    done = subprocess.run(
        [*shell, "-c", complete + lines], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == [
        "create-admin",
        "list rotate",
        "profile:read profile:write",
        "--revoke-old",
        "",
    ]
    assert done.stderr == ""
