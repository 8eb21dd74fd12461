"""The real programs as processes of their own, to be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from src.config import PROJECT_ROOT
from tests.jobs.support import START_SECONDS
from tests.support import until


def environment(database_url: str, data_dir: Path, **variables: str) -> dict[str, str]:
    """The environment of a process on the test's database."""
    return {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "test",
        "DATABASE_URL": database_url,
        "DATA_DIR": str(data_dir),
        "BCRYPT_ROUNDS": "4",
        "REQUIRE_CONFIRMED_EMAIL": "false",
        "RATE_LIMIT_ENABLED": "false",
        "PYTHONWARNINGS": "error",
    } | variables


@asynccontextmanager
async def running(
    command: str, variables: dict[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m src COMMAND` while the block runs, killed at its end if it still lives."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "src",
        command,
        cwd=PROJECT_ROOT,
        env=variables,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def terminated(process: asyncio.subprocess.Process) -> int:
    """The exit status of a process that is asked to end."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(15):
        return await process.wait()


@asynccontextmanager
async def serving(
    variables: dict[str, str],
) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    """A server that answers, and a client of it."""
    url = f"http://127.0.0.1:{variables['PORT']}"
    async with running("serve", variables) as process, httpx.AsyncClient(base_url=url) as client:

        async def answers() -> bool:
            assert process.returncode is None, "the server did not start"
            with suppress(httpx.TransportError):
                return (await client.get("/health/ready")).status_code == 200
            return False

        await until(answers, START_SECONDS)
        yield process, client
