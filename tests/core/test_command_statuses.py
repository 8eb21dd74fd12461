"""What a command leaves behind: its exit status, a sentence, and nothing that is secret."""

import asyncio
import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import asyncpg
import pytest

from src.cli import main
from src.config import PROJECT_ROOT, Settings
from tests.command_line import TIMEOUT_SECONDS, command
from tests.support import until

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Refusal = Callable[..., tuple[object, str]]

MIGRATION_LOCK = 0x706C617A61
WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""
CANARY = "S3cretCanary-of-32-characters-and-more"
BUG = """
import sys
from src.auth.tokens import signing_keys
from src.cli import main

async def described(session, settings, now):
    canary = settings.secret_key.get_secret_value()
    return len(canary) / 0

signing_keys.described = described
sys.argv = ["", "keys", "list"]
main()
"""


class SmallDisk(io.RawIOBase):
    """An output that has room for so many bytes, and takes a part of what is too long for that."""

    def __init__(self, room: int) -> None:
        self.room = room

    def writable(self) -> bool:
        return True

    def write(self, given: "ReadableBuffer") -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(self.room, len(bytes(given)))
        self.room -= taken
        return taken


def start(
    environment: dict[str, str],
    *arguments: str,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> "subprocess.Popen[str]":
    """Start a command."""
    return subprocess.Popen(
        command(*arguments),
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


@pytest.fixture
def refusal(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Refusal:
    """Runs a command that is refused, in this process: its status, and what it says."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["python -m src", *arguments])
        with pytest.raises(SystemExit) as exited:
            main()
        printed = capsys.readouterr()
        assert printed.out == ""
        return exited.value.code, printed.err

    return run


@asynccontextmanager
async def waiting_for_a_lock(
    environment: dict[str, str], database_url: str
) -> AsyncIterator["subprocess.Popen[str]"]:
    """`migrate`, as it waits for another one."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        process = start(environment, "migrate")

        async def is_waiting() -> bool:
            assert process.poll() is None
            return bool(await connection.fetchval(WAITING))

        try:
            await until(is_waiting, TIMEOUT_SECONDS)
            yield process
        finally:
            process.kill()
            process.communicate()
    finally:
        await connection.close()


async def test_an_interrupt_is_said_in_a_word_and_shells_know_it(
    environment: dict[str, str], database_url: str
) -> None:
    async with waiting_for_a_lock(environment, database_url) as process:
        process.send_signal(signal.SIGINT)
        told = await asyncio.to_thread(process.communicate, timeout=TIMEOUT_SECONDS)
        assert (process.returncode, *told) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize(
    ("arguments", "stream", "status"),
    [
        (["--help"], "stdout", 1),
        (["keys", "list"], "stdout", 1),
        (["nonsense"], "stderr", 2),
    ],
)
def test_a_reader_that_has_gone_is_not_written_to(
    environment: dict[str, str], arguments: list[str], stream: str, status: int
) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        process = start(environment, *arguments, **{stream: write})
    finally:
        os.close(write)
    told = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, *filter(None, told)) == (status,)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("arguments", [["--help"], ["keys", "list"]], ids=" ".join)
def test_a_full_disk_is_said(environment: dict[str, str], arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        process = start(environment, *arguments, stdout=full.fileno())
    _, told = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, told) == (1, "[Errno 28] No space left on device\n")


@pytest.mark.parametrize("buffered", [True, False])
def test_a_disk_that_gets_full_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, buffered: bool
) -> None:
    small = SmallDisk(10_000)
    disk = io.BufferedWriter(small) if buffered else small
    monkeypatch.setattr(sys, "argv", ["", "openapi"])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(cast("BinaryIO", disk), write_through=True))
    with pytest.raises(SystemExit) as exited:
        main()
    assert exited.value.code == 1
    assert capsys.readouterr().err == "[Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "closed", "status"),
    [
        ("--help", ">&-", 0),
        ("keys list", ">&-", 0),
        ("nonsense", "2>&-", 2),
        ("clients remove x", "2>&-", 1),
        ("create-admin ann@x.test", "<&-", 1),
    ],
)
def test_closed_streams_change_no_status(
    environment: dict[str, str], arguments: str, closed: str, status: int
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command(*arguments.split())],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([b"\xff"], 2),
        ([b"keys", b"\x1b[2J\xff"], 2),
        ([b"keys", b"list", b"\x1b[2J\xff"], 2),
        ([b"keys", b"list", b"--\x1b[2J\xff"], 2),
        ([b"clients", b"add", b"x", b"--scope", b"\x1b[2J\xff"], 2),
        ([b"create-admin", b"x", b"--username", b"\x1b[2J\xff"], 2),
        ([b"create-admin", b"\x1b[2J\xff@x.test"], 1),
        ([b"create-admin", "\u202eann@x.test".encode()], 1),
        ([b"clients", b"remove", b"\xff"], 1),
        ([b"clients", b"remove", b"\x1b[2J"], 1),
        ([b"clients", b"remove", b"x" * 100_000], 1),
        ([b"clients", b"remove", b"--", b"--help"], 1),
        ([b"", b""], 2),
    ],
)
def test_odd_arguments_are_refused_and_move_no_cursor(
    refusal: Refusal, arguments: list[bytes], status: int
) -> None:
    found, told = refusal(*map(os.fsdecode, arguments))
    assert found == status
    assert told.replace("\n", "").isprintable()
    assert told.count("\n") == (1 if status == 1 else 3)


def test_a_bug_shows_where_it_is_and_no_value(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUG],
        cwd=PROJECT_ROOT,
        env=environment | {"SECRET_KEY": CANARY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "ZeroDivisionError" in done.stderr
    assert CANARY not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["client"], "No such command 'client'. Did you mean 'clients'?"),
        (
            ["keys", "rotate", "--revoke"],
            "No such option: --revoke (Possible options: --revoke-old)",
        ),
        (["clients", "add", "Shop"], "Missing option '--scope'."),
        (["--install-completion"], "No such option: --install-completion"),
    ],
)
def test_what_is_not_understood_is_said_after_the_usage(
    refusal: Refusal, arguments: list[str], words: str
) -> None:
    status, told = refusal(*arguments)
    usage, hint, error = told.splitlines()
    path = hint.removeprefix("Try '").removesuffix(" --help' for help.")
    assert usage.startswith(f"Usage: {path} ")
    assert error == f"{path}: error: {words}"
    assert status == 2
