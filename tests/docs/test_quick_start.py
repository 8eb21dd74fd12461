"""The quick start of the README, run as it stands against a server of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import orjson
import pytest

from src.addresses.localhost import local_url
from src.config import PROJECT_ROOT
from tests.docs.support import README, blocks, section
from tests.support import free_port

PATIENCE_SECONDS = 60.0
ADDRESS = "http://localhost:8000"


def _environment(**settings: str) -> dict[str, str]:
    """What a newcomer's shell has: no settings, but python3 and this repository."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": programs, "PYTHONPATH": str(PROJECT_ROOT), **settings}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of its own: pytest's are closed to the user that PostgreSQL runs as under root."""
    with TemporaryDirectory(prefix="plaza-quick-start-") as path:
        yield Path(path)


@pytest.fixture
def origin(folder: Path) -> Iterator[str]:
    """A server started as `make run` does, with everything under the folder.

    Its terminal closes in the end, and stops its PostgreSQL with it.
    """
    port = free_port()
    address = local_url("127.0.0.1", port)
    log = folder / "serve.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "src", "serve"],
            cwd=folder,
            env=_environment(PORT=str(port)),
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _answers(address):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield address
    finally:
        server.send_signal(signal.SIGHUP)
        server.wait(PATIENCE_SECONDS)
    assert (folder / "var/postgres/PG_VERSION").exists()
    assert not (folder / "var/postgres/postmaster.pid").exists()


def _answers(address: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/health/ready").status_code == 200
    return False


def test_the_quick_start_works(origin: str, folder: Path) -> None:
    start, walk = blocks(section(README.read_text(), "Quick start"))
    assert start.code == "make run\n"
    assert ADDRESS in walk.code
    done = subprocess.run(
        ["/bin/sh", "-euc", walk.code.replace(ADDRESS, origin)],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    created, listed = done.stdout.split('{"items"')
    post = orjson.loads(created)
    assert post["status"] == "published"
    assert [item["id"] for item in orjson.loads('{"items"' + listed)["items"]] == [post["id"]]
    printed = (folder / "serve.log").read_text()
    for path in ("/docs", "/dev/mailbox"):
        assert f"{ADDRESS}{path}" in README.read_text()
        assert f"{origin}{path}" in printed
        assert httpx.get(f"{origin}{path}").status_code == 200
