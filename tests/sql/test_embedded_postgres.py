"""The embedded PostgreSQL, started by a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from src.config import PROJECT_ROOT
from src.sql.embedded_postgres import MAX_PATH_BYTES, start

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
    """Neither such a folder nor what others left in /tmp is in the way.

    Nor is the locale of a terminal, which may be another machine's and be missing here.
    """
    temporary = folder / "tmp"
    (temporary / ".lockfile").mkdir(parents=True)
    folder.chmod(0o777)
    done = migrate(folder / "var", TMPDIR=str(temporary), LC_ALL="xx_XX.UTF-8")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_path_may_have_blanks_and_marks(folder: Path) -> None:
    """Whoever clones into `My projects` has one; a locale that is not of UTF-8 is as good."""
    data_dir = folder / "My projects 100%25 ann's (+1) #?&x=y;"
    data_dir.mkdir()
    folder.chmod(0o755)
    for _ in range(2):  # with a database to make, and with one that is there
        done = migrate(data_dir, LC_ALL="C")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x" * MAX_PATH_BYTES, "Set DATA_DIR to a path of 80 bytes or less: a socket lies in it"),
        *((f"a{mark}b", 'Set DATA_DIR to a path without " $ ` \\ , in it') for mark in '"$`\\,'),
    ],
)
def test_a_path_that_it_cannot_use_is_refused(folder: Path, name: str, told: str) -> None:
    with pytest.raises(RuntimeError) as refused:
        start(folder / name)
    assert str(refused.value) == told
