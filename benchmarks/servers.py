"""The servers under test, each one process on one core."""

import asyncio
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from benchmarks.environment import DATA_DIR, SERVER_CORES, server_environment
from src.config import PROJECT_ROOT

START_SECONDS = 30
FLOOR, PLAZA, IDIOMATIC, FASTIFY = "floor", "Plaza", "idiomatic", "Fastify"
SERVERS = [FLOOR, PLAZA, IDIOMATIC]
FASTIFY_DIR = PROJECT_ROOT / "benchmarks/peers/fastify"
COMMANDS = {
    FLOOR: (sys.executable, "-m", "benchmarks.floor"),
    PLAZA: (sys.executable, "-m", "src", "serve"),
    IDIOMATIC: (sys.executable, "-m", "benchmarks.idiomatic"),
    FASTIFY: ("node", str(FASTIFY_DIR / "server.mjs")),
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
            *("taskset", "-c", ",".join(map(str, cores))),  # before Node.js starts its threads
            *COMMANDS[name],
            env=server_environment(database_url, port, settings),
            cwd=DATA_DIR,
            stdout=output,
            stderr=output,
        )
    try:
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
