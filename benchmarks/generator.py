"""Puts loads on servers, from a process on another core."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.environment import OTHER_CORES
from benchmarks.load import Outcome, Plan, Sample
from benchmarks.servers import Server


@dataclass(frozen=True, slots=True)
class LoadGenerator:
    """A running `python -m benchmarks.load`, for one load at a time."""

    process: Process

    async def load(
        self,
        server: Server,
        requests: Sequence[str],
        status: int = 200,
        *,
        connections: int,
        seconds: float | None = None,
        count: int | None = None,
        pause: float = 0,
    ) -> Sample:
        """Send the requests in turn, for some seconds or until `count` are answered.

        Raises:
            RuntimeError: an answer had another status, or a connection broke.
        """
        plan = Plan(
            port=server.port,
            server_pid=server.pid,
            requests=list(requests),
            status=status,
            connections=connections,
            seconds=seconds,
            count=count,
            pause=pause,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(plan.model_dump_json().encode() + b"\n")
        await self.process.stdin.drain()
        outcome = Outcome.model_validate_json(await self.process.stdout.readline())
        if outcome.sample is None:
            raise RuntimeError(f"{server.name}: {outcome.error}")
        return outcome.sample


@asynccontextmanager
async def load_generator() -> AsyncIterator[LoadGenerator]:
    """A load generator while the block runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.load",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        os.sched_setaffinity(process.pid, OTHER_CORES)
        yield LoadGenerator(process)
    finally:
        process.kill()
        await process.wait()
