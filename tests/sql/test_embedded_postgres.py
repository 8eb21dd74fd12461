"""The embedded PostgreSQL, started by a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from src.config import PROJECT_ROOT
from src.sql.embedded_postgres import MAX_PATH_BYTES

TIMEOUT_SECONDS = 60


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: pytest's own are long, and closed to the user PostgreSQL runs as under root."""
    with TemporaryDirectory(prefix="plaza-embedded-") as path:
        yield Path(path)


def migrate(data_dir: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m src migrate` on the embedded database below a folder."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "src", "migrate"],
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir)} | variables,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def test_it_starts_where_every_user_may_write(folder: Path) -> None:
    """Neither such a folder nor what others left in /tmp is in the way."""
    temporary = folder / "tmp"
    (temporary / ".lockfile").mkdir(parents=True)
    folder.chmod(0o777)
    done = migrate(folder / "var", TMPDIR=str(temporary))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_path_too_long_for_a_socket_is_refused(folder: Path) -> None:
    done = migrate(folder / ("x" * MAX_PATH_BYTES))
    assert done.returncode == 1
    assert done.stderr.startswith("Set DATA_DIR to a path of 80 bytes or less")
    assert done.stderr.count("\n") == 1


def test_a_path_may_have_blanks_and_marks(folder: Path) -> None:
    """Whoever clones into `My projects` has one."""
    data_dir = folder / "My projects 100%25 ann's (+1) #?&x=y;"
    data_dir.mkdir()
    folder.chmod(0o755)
    for _ in range(2):  # with a database to make, and with one that is there
        done = migrate(data_dir)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("mark", ['"', "$", "`", "\\", ","])
def test_a_path_that_a_shell_would_read_otherwise_is_refused(folder: Path, mark: str) -> None:
    done = migrate(folder / f"a{mark}b")
    assert (done.returncode, done.stderr) == (
        1,
        'Set DATA_DIR to a path without " $ ` \\ , in it\n',
    )


@pytest.mark.parametrize("locale", ["xx_XX.UTF-8", "C"])
def test_the_locale_of_the_system_does_not_matter(folder: Path, locale: str) -> None:
    """It may be another machine's that a terminal brought along, and be missing here."""
    done = migrate(folder / "var", LC_ALL=locale)
    assert (done.returncode, done.stderr) == (0, "")
