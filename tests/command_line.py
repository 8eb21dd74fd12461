"""`python -m src`: as a process, with pipes or at a terminal, and refused in this one."""

import asyncio
import io
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from src import cli
from src.config import PROJECT_ROOT
from tests.support import until

TIMEOUT_SECONDS = 60


def command(*arguments: str) -> list[str]:
    """The command line; what Python warns of is an error."""
    return [sys.executable, "-W", "error", "-m", "src", *arguments]


def run(
    environment: dict[str, str], *arguments: str, typed: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run it with this on its standard input."""
    return subprocess.run(
        command(*arguments),
        cwd=PROJECT_ROOT,
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def refusal(
    capture: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *arguments: str,
    typed: str = "",
) -> tuple[object, str]:
    """Run it in this process: its exit status and its words, where it is refused."""
    monkeypatch.setattr(sys, "argv", ["python -m src", *arguments])
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    printed = capture.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return exit_.value.code, printed.err


@contextmanager
def at_a_terminal(
    environment: dict[str, str], *arguments: str, output: Path | None = None
) -> Iterator[tuple[int, int]]:
    """Run it with a terminal of its own: the terminal's other end, and the process id.

    With `output`, its standard output is that file.
    """
    process_id, terminal = pty.fork()
    if process_id == 0:
        if output:
            os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), 1)
        os.chdir(PROJECT_ROOT)
        os.execve(sys.executable, command(*arguments), environment)  # noqa: S606 - no shell needed
    try:
        yield terminal, process_id
    finally:
        os.close(terminal)
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(process_id, 0)


def read_until(terminal: int, wanted: str) -> str:
    """What the terminal shows, up to some words, or all of it when the command ends."""
    shown = b""
    while not wanted or wanted.encode() not in shown:
        readable, _, _ = select.select([terminal], [], [], TIMEOUT_SECONDS)
        assert readable, shown
        try:
            received = os.read(terminal, 1000)
        except OSError:  # the other end is closed
            break
        if not received:
            break
        shown += received
    return shown.decode()


def wait_for_reading(process_id: int) -> None:
    """Until it sleeps: Python keeps an interrupt that comes just before it reads until it has."""
    status = Path(f"/proc/{process_id}/stat")
    if status.exists():  # not on macOS
        asyncio.run(until(lambda: status.read_text().rpartition(")")[2].split()[0] == "S"))
