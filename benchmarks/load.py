"""The load generator: a process that keeps a number of HTTP/1.1 connections busy.

`python -m benchmarks.load` reads plans from standard input, a line of JSON each, and writes a line
with the outcome of each. Every connection sends its next request as soon as the last one is
answered.
"""

import asyncio
import itertools
import os
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, cast

import uvloop
from pydantic import BaseModel

# Where it stands in a request, each that is sent has another number of as many digits.
NUMBER = "#numbers"
WARM_UP_SECONDS = 0.3
DRAIN_SECONDS = 4  # for the answers still under way at the end
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "
_numbers = itertools.count(1)


class Plan(BaseModel):
    """What to send: the requests in turn, for some seconds or until `count` are answered."""

    port: int
    requests: list[str]
    status: int
    connections: int
    seconds: float | None = None
    count: int | None = None
    pause: float = 0
    server_pid: int


class Sample(BaseModel):
    """What was measured; latencies in milliseconds.

    `cpu_seconds` is the CPU time of all threads of the server. `waiting_seconds` is how long its
    main thread could have run but did not get its core, because another process had it.
    """

    requests: int
    seconds: float
    cpu_seconds: float
    waiting_seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def cpu_per_request(self) -> float:
        """Microseconds of the server's CPU time that one request took."""
        return self.cpu_seconds / self.requests * 1e6

    @property
    def busy(self) -> float:
        """The part of the time that the server had the processor."""
        return self.cpu_seconds / self.seconds

    @property
    def waiting(self) -> float:
        """The part of the time that the server waited for the processor."""
        return self.waiting_seconds / self.seconds


class Outcome(BaseModel):
    """What came of a plan: one of the two."""

    sample: Sample | None = None
    error: str | None = None


class Run:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests: Iterator[tuple[bytes, bytes, bytes]] = itertools.cycle(
            request.encode().partition(NUMBER.encode()) for request in plan.requests
        )
        self.expected = b"HTTP/1.1 %d " % plan.status
        self.latencies = array("d")
        self.under_way = 0
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()

    async def measure(self) -> Sample:
        """Open the connections, warm up, measure, let the last answers come, close."""
        loop = asyncio.get_running_loop()
        connections = [
            (await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.plan.port))[0]
            for _ in range(self.plan.connections)
        ]
        if self.plan.seconds is not None:
            await self._until_ended(WARM_UP_SECONDS)
        del self.latencies[:]
        before = ServerTimes.of(self.plan.server_pid)
        started_at = perf_counter()
        await self._until_ended(self.plan.seconds)
        seconds = perf_counter() - started_at
        after = ServerTimes.of(self.plan.server_pid)
        latencies = sorted(self.latencies)
        if not self.ended.done():
            self.ended.set_result(None)
        if self.under_way:
            await asyncio.wait([self.drained], timeout=DRAIN_SECONDS)
        for connection in connections:
            connection.close()
        return Sample(
            requests=len(latencies),
            seconds=seconds,
            cpu_seconds=after.cpu - before.cpu,
            waiting_seconds=after.waiting - before.waiting,
            p50=percentile(latencies, 50),
            p99=percentile(latencies, 99),
        )

    def next_request(self) -> bytes | None:
        """The next request to send; None when the run is over."""
        if self.ended.done():
            return None
        self.under_way += 1
        before, number, after = next(self.requests)
        return before + b"%08d" % next(_numbers) + after if number else before

    def answered(self, latency: float) -> None:
        """Count an answer."""
        self.under_way -= 1
        self.latencies.append(latency)
        if self.ended.done() and not self.under_way:
            self.drained.set_result(None)
        if len(self.latencies) == self.plan.count and not self.ended.done():
            self.ended.set_result(None)

    def fail(self, reason: str) -> None:
        """End the run with an error."""
        if not self.ended.done():
            self.ended.set_exception(RuntimeError(reason))

    async def _until_ended(self, seconds: float | None) -> None:
        await asyncio.wait([self.ended], timeout=seconds)
        if self.ended.done():
            self.ended.result()


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time under way."""

    transport: asyncio.Transport

    def __init__(self, run: Run) -> None:
        self.run = run
        self.received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self.transport = cast("asyncio.Transport", transport)
        self.send()

    def send(self) -> None:
        """Send the next request, if there is one."""
        request = self.run.next_request()
        if request is not None:
            self.sent_at = perf_counter()
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take what came of the answer; it is whole when its Content-Length is reached."""
        if self.received:
            data = self.received + data
        head_end = data.find(_HEAD_END)
        if head_end >= 0:
            start = data.find(_LENGTH, 0, head_end)
            if start < 0 or not data.startswith(self.run.expected):
                self.run.fail(f"Unexpected answer: {data[:1000].decode(errors='replace')}")
                return
            start += len(_LENGTH)
            length = int(data[start : data.find(b"\r", start)])
            if len(data) >= head_end + len(_HEAD_END) + length:
                self.received = b""
                self.run.answered(perf_counter() - self.sent_at)
                if self.run.plan.pause:
                    asyncio.get_running_loop().call_later(self.run.plan.pause, self.send)
                else:
                    self.send()
                return
        self.received = data

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail unless the run is over."""
        self.run.fail("The server closed a connection")


class ServerTimes(NamedTuple):
    """What Linux has counted for a process, in seconds."""

    cpu: float
    waiting: float

    @classmethod
    def of(cls, pid: int) -> "ServerTimes":
        """The counts until now."""
        process = Path("/proc") / str(pid)
        stat = (process / "stat").read_text().rpartition(")")[2].split()
        waiting = int((process / "schedstat").read_text().split()[1]) / 1e9
        return cls((int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), waiting)


def percentile(ascending: list[float], percent: int) -> float:
    """The percentile of latencies in seconds, in milliseconds; 0 when there are none."""
    if not ascending:
        return 0.0
    return ascending[min(len(ascending) * percent // 100, len(ascending) - 1)] * 1000


async def outcome(plan: Plan) -> Outcome:
    """Run a plan."""
    try:
        return Outcome(sample=await Run(plan).measure())
    except (RuntimeError, OSError) as error:
        return Outcome(error=str(error))


def main() -> None:
    """Run the plans on standard input."""
    for line in sys.stdin:
        result = uvloop.run(outcome(Plan.model_validate_json(line)))
        print(result.model_dump_json(), flush=True)


if __name__ == "__main__":
    main()
