"""The servers under test, each one process on one core."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from benchmarks.environment import DATA_DIR, SERVER_CORES, server_environment

START_SECONDS = 30
FLOOR, PLAZA, IDIOMATIC = "floor", "Plaza", "idiomatic"
COMMANDS = {
    FLOOR: ("benchmarks.floor",),
    PLAZA: ("src", "serve"),
    IDIOMATIC: ("benchmarks.idiomatic",),
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    pid: int


@asynccontextmanager
async def running(
    names: Sequence[str],
    database_url: str,
    settings: Mapping[str, str] | None = None,
    cores: Sequence[int] = SERVER_CORES,
) -> AsyncIterator[list[Server]]:
    """The named servers while the block runs, with some settings of their own, on these cores.

    Raises:
        RuntimeError: one did not start.
    """
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(_server(name, database_url, settings, cores))
            for name in names
        ]


@asynccontextmanager
async def _server(
    name: str, database_url: str, settings: Mapping[str, str] | None, cores: Sequence[int]
) -> AsyncIterator[Server]:
    port = _free_port()
    log = DATA_DIR / f"{name}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *COMMANDS[name],
            env=server_environment(database_url, port, settings),
            cwd=DATA_DIR,
            stdout=output,
            stderr=output,
        )
    try:
        os.sched_setaffinity(process.pid, cores)
        await _until_it_listens(name, process, port)
        yield Server(name, port, process.pid)
    finally:
        if process.returncode is None:
            process.kill()  # what it does for clients that have gone is of no interest
        await process.wait()


async def _until_it_listens(name: str, process: Process, port: int) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    return
    raise RuntimeError(f"The server {name} did not start: see {DATA_DIR / name}.log")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
