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
