"""The walk of docs/add-a-feature.md, made on a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from src.config import PROJECT_ROOT
from tests.docs.support import blocks, headed_blocks, section

WALK = (PROJECT_ROOT / "docs/add-a-feature.md").read_text()
COPIED = ("src", "alembic", "templates", "alembic.ini", "logging.ini", "pyproject.toml")
COPIED_TESTS = ("__init__.py", "conftest.py", "databases.py", "support.py")
_ENTRY = re.compile(r"^\| `(\S+)` \| `([^`]+)` \| `([^`]+)` \| `(\w+)` \|$", re.MULTILINE)
_DOWN_REVISION = re.compile(r'^down_revision = "\w+"$', re.MULTILINE)
CHECKS = [("ruff", "check"), ("ruff", "format", "--check")]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of the repository that the walk touches or needs."""
    root = tmp_path / "plaza"
    (root / "tests").mkdir(parents=True)
    for name in COPIED:
        source = PROJECT_ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name)  # what is compiled already, too
        else:
            shutil.copy(source, root / name)
    for name in COPIED_TESTS:
        shutil.copy(PROJECT_ROOT / "tests" / name, root / "tests" / name)
    return root


def run(copy: Path, database_url: str, *command: str) -> None:
    """Run one of the environment's programs in the copy, as somebody who follows the walk does."""
    programs = Path(sys.executable).parent
    done = subprocess.run(
        [programs / command[0], *command[1:]],
        cwd=copy,
        env={
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "DATABASE_URL": database_url,
            "ENVIRONMENT": "test",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


def start(copy: Path) -> None:
    """Make the folders as the walk says; its `make install` is done already."""
    commands = blocks(WALK)[0].code.removeprefix("make install\n")
    subprocess.run(["/bin/sh", "-euc", commands], cwd=copy, check=True)


def write_files(copy: Path) -> list[str]:
    """Write every file of the walk, and name them; the migration follows the newest there is."""
    head = ScriptDirectory.from_config(Config(PROJECT_ROOT / "alembic.ini")).get_current_head()
    files = headed_blocks(WALK)
    for name, code in files.items():
        assert not (copy / name).exists()
        follows = f'down_revision = "{head}"'
        (copy / name).write_text(_DOWN_REVISION.sub(follows, code))
    return list(files)


def make_entries(copy: Path) -> list[str]:
    """Add an import and a list's entry to the files of the walk's table, and name them."""
    entries: list[tuple[str, str, str, str]] = _ENTRY.findall(section(WALK, "Entries"))
    for name, line, entry, target in entries:
        code = (copy / name).read_text()
        opened = re.search(rf"^{target} = \[", code, re.MULTILINE)
        assert opened, f"{name} has no list {target}"
        end = code.index("]", opened.end())
        kept = code[:end].rstrip().rstrip(",")
        code = f"{kept}, {entry}{code[end:]}"
        first_import = code.index("\nfrom src.") + 1
        (copy / name).write_text(f"{code[:first_import]}{line}\n{code[first_import:]}")
    return [name for name, *_ in entries]


@pytest.mark.skipif((PROJECT_ROOT / "src/notes").exists(), reason="the walk has been made here")
def test_the_walk_works_as_it_stands(copy: Path, server_url: str, database_url: str) -> None:
    start(copy)
    written = write_files(copy)
    for check in CHECKS:
        run(copy, database_url, *check, *written)
    edited = make_entries(copy)
    assert edited == ["src/models.py", "src/main.py"]
    run(copy, database_url, "ruff", "check", "--fix-only", "--quiet", *edited)
    run(copy, database_url, "ruff", "format", *edited)
    for check in CHECKS:
        run(copy, database_url, *check, *edited)
    run(copy, database_url, "lint-imports", "--no-logo", "--no-cache")
    run(copy, database_url, "alembic", "upgrade", "head")
    run(copy, database_url, "alembic", "check")
    run(copy, server_url, "pytest", "-q", "-p", "no:cacheprovider", "tests/notes")
