"""`make install` where `.venv` leads to the environment of another clone."""

import shutil
import subprocess
import sys
from pathlib import Path

from src.config import PROJECT_ROOT


def test_the_environment_of_another_clone_is_not_emptied(tmp_path: Path) -> None:
    clone, environment = tmp_path / "clone", tmp_path / "environment"
    clone.mkdir()
    environment.mkdir()
    (environment / "kept").touch()
    (clone / ".venv").symlink_to(environment)
    shutil.copy(PROJECT_ROOT / "Makefile", clone)
    shutil.copytree(PROJECT_ROOT / "requirements", clone / "requirements")
    done = subprocess.run(
        ["make", "install", f"PYTHON={sys.executable}"],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert ".venv is a link" in done.stderr
    assert [path.name for path in environment.iterdir()] == ["kept"]
