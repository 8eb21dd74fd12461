"""`make install` on a later day, with an old pip and an index that only pip is told of."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from src.config import PROJECT_ROOT
from tests.docs.support import blocks, section
from tests.install.package_index import pinned, publish, served

pytestmark = [
    pytest.mark.install,
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="pip 23.0.1 does not start there"),
]

# Debian 12's, the oldest that has to do.
OLD_PIP = """pip==23.0.1 \\
    --hash=sha256:236bcb61156d76c4b8a05821b988c7b8c35bf0da28a4b614e8d6ab5212c25c6f
"""
SEEDS = {"pip", "setuptools"}  # what `python -m venv` installs


@dataclass(frozen=True, slots=True)
class Clone:
    """The Makefile and the requirements of a fresh clone."""

    folder: Path
    environment: dict[str, str]

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def make_install(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("make", "install", f"PYTHON={sys.executable}", **variables)

    def pinned(self, *names: str) -> dict[str, str]:
        files = [self.folder / "requirements" / name for name in names]
        return pinned("".join(file.read_text() for file in files))

    def installed(self) -> dict[str, str]:
        folders = map(str, self.venv.glob("lib/python*/site-packages"))
        found = distributions(path=list(folders))
        versions = {canonicalize_name(one.name): one.version for one in found}
        return {name: version for name, version in versions.items() if name not in SEEDS}


@pytest.fixture(scope="module")
def old_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with that pip. On PYTHONPATH it comes before the pip of an environment."""
    folder = tmp_path_factory.mktemp("pip")
    requirement = folder / "pip.txt"
    requirement.write_text(OLD_PIP)
    run_uv = [sys.executable, str(PROJECT_ROOT / "requirements/run_uv.py")]
    options = ["--quiet", "--require-hashes", "--target", str(folder), "-r", str(requirement)]
    subprocess.run([*run_uv, "pip", "install", *options], check=True)
    return folder


@pytest.fixture
def clone(tmp_path: Path, old_pip: Path) -> Iterator[Clone]:
    folder, index, pip_conf = tmp_path / "clone", tmp_path / "index", tmp_path / "pip.conf"
    shutil.copytree(PROJECT_ROOT / "requirements", folder / "requirements")
    shutil.copy(PROJECT_ROOT / "Makefile", folder)
    for compiled in (folder / "requirements").glob("*.txt"):
        compiled.write_text(publish(compiled.read_text(), index))
    with served(index) as url:
        pip_conf.write_text(f"[global]\nindex-url = {url}\n[install]\nuser = yes\n")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PIP_CONFIG_FILE": str(pip_conf),
            "PYTHONPATH": str(old_pip),
        }
        yield Clone(folder, environment)


def test_newer_releases_change_nothing(clone: Clone) -> None:
    done = clone.make_install()
    assert done.returncode == 0, done.stderr
    assert clone.installed() == clone.pinned("uv.txt", "dev.txt")
    assert clone.run(".venv/bin/python", "-m", "pip", "--version").stdout.startswith("pip 23.0.1 ")
    assert "Installing" not in clone.make_install().stdout


def test_production_is_installed_as_its_documentation_says(clone: Clone) -> None:
    operations = (PROJECT_ROOT / "docs/operations.md").read_text()
    block, *_ = blocks(section(operations, "Production settings"))
    commands, _, serve = block.code.rpartition("ENVIRONMENT=production ")
    assert serve
    done = clone.run("/bin/sh", "-euc", commands)
    assert done.returncode == 0, done.stderr
    assert clone.installed() == clone.pinned("uv.txt", "prod.txt")


def test_what_an_older_or_interrupted_install_left_does_not_count(clone: Clone) -> None:
    pins = clone.pinned("dev.txt")
    half = leave(clone, "idna", pins["idna"])
    leave(clone, "dropped", "1.0")
    older = clone.venv / ".installed"
    older.touch()
    os.utime(older, (0, 0))
    assert clone.make_install(UV_OFFLINE="1").returncode != 0
    assert "uv" in clone.installed()
    done = clone.make_install()
    assert done.returncode == 0, done.stderr
    assert clone.installed() == clone.pinned("uv.txt", "dev.txt")
    assert (half / "RECORD").exists()


def leave(clone: Clone, name: str, version: str) -> Path:
    """A package without its files, which installers take for installed."""
    folder = clone.venv / f"lib/python3.11/site-packages/{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder
