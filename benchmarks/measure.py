"""Measuring: the servers take short turns, and medians over the quieter turns count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.generator import LoadGenerator
from benchmarks.load import Sample
from benchmarks.servers import SERVERS, Server
from benchmarks.workloads import Workload

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to measure."""

    turns: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """The samples of one workload, a list of equal length for each server."""

    workload: Workload
    samples: Mapping[str, list[Sample]]

    def rate(self, server: str) -> float:
        """The median of requests per second."""
        return median(sample.rate for sample in self.samples[server])

    def cpu_per_request(self, server: str) -> float:
        """The median of the server's microseconds of CPU time per request."""
        return median(sample.cpu_per_request for sample in self.samples[server])

    def busy(self, server: str) -> float:
        """The median of the part of the time that the server had the processor."""
        return median(sample.busy for sample in self.samples[server])

    def waiting(self, server: str) -> float:
        """The median of the part of the time that the server waited for its core."""
        return median(sample.waiting for sample in self.samples[server])

    def p50(self, server: str) -> float:
        """The median of the turns' median latencies, in milliseconds."""
        return median(sample.p50 for sample in self.samples[server])

    def p99(self, server: str) -> float:
        """The median of the turns' 99th percentiles, in milliseconds."""
        return median(sample.p99 for sample in self.samples[server])

    def ratio(self, server: str, other: str) -> float:
        """The median over the turns of one server's rate divided by the other's."""
        pairs = zip(self.samples[server], self.samples[other], strict=True)
        return median(one.rate / another.rate for one, another in pairs)


async def measure(
    generator: LoadGenerator, servers: Sequence[Server], workload: Workload, pace: Pace
) -> Result:
    """Load the servers in turn.

    The half of the turns counts in which no server had to wait long for its core. Peers do not
    choose it: they wait for threads of their own too.

    Raises:
        RuntimeError: a server gave a wrong status or no answer at all.
    """
    requests = {server.name: workload.requests(server.name) for server in servers}

    async def sample(server: Server) -> Sample:
        taken = await generator.load(
            server,
            requests[server.name],
            workload.status,
            connections=CONNECTIONS,
            seconds=pace.seconds,
        )
        if not taken.requests:
            raise RuntimeError(f"{workload.name}: no answer of {server.name} in {pace.seconds} s")
        return taken

    turns = [{server.name: await sample(server) for server in servers} for _ in range(pace.turns)]
    turns.sort(key=lambda turn: max(turn[name].waiting for name in SERVERS))
    quieter = turns[: (pace.turns + 1) // 2]
    return Result(
        workload, {server.name: [turn[server.name] for turn in quieter] for server in servers}
    )
