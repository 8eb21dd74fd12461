"""A real server in a process of its own, and a real browser that may talk to nothing else."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from selenium.webdriver import Chrome

from src.addresses.localhost import local_url
from src.config import PROJECT_ROOT
from tests.browser.chromium import WAIT_SECONDS, chromium, foreign_requests

START_SECONDS = 90
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Server:
    """The running server: where it answers and where its data is."""

    origin: str
    data_dir: Path


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """`python -m src serve` on a free port, with a database and a mailbox of its own."""
    with running_server() as running:
        yield running


@contextmanager
def running_server(**settings: str) -> Iterator[Server]:
    """The same with further settings."""
    # Pytest's folders are closed to the user that PostgreSQL runs as under root.
    with (
        TemporaryDirectory(prefix="plaza-browser-") as folder,
        _running_in(Path(folder), settings) as running,
    ):
        yield running


@contextmanager
def _running_in(folder: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    running = Server(local_url("127.0.0.1", port), folder / "data")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(PROJECT_ROOT),
        "ENVIRONMENT": "local",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATA_DIR": str(running.data_dir),
        **settings,
    }
    log = folder / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "src", "serve"],
            cwd=folder,  # where no .env is
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _wait_until_ready(running.origin, process, log)
            yield running
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _wait_until_ready(origin: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{origin}/health/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


def mailed_link(server: Server, to: str, count: int) -> str:
    """The link in the `count`th mail to an address."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        mails = httpx.get(f"{server.origin}/dev/mailbox", params={"to": to}).json()["items"]
        if len(mails) >= count:
            return str(mails[-count]["links"][0])
        time.sleep(0.2)
    pytest.fail("no mail arrived")


@pytest.fixture
def browser(server: Server, tmp_path: Path) -> Iterator[Chrome]:
    """Chromium with a new profile; a request to another origin than the server's is a failure."""
    with chromium(tmp_path / "profile") as chrome:
        yield chrome
        foreign = foreign_requests(chrome, server.origin)
    assert foreign == []
