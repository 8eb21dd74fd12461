"""Memory: what a million requests leave behind in the server."""

import os
from pathlib import Path

from benchmarks.generator import LoadGenerator
from benchmarks.measure import CONNECTIONS
from benchmarks.servers import Server
from benchmarks.workloads import ME, READ

REQUESTS = 1_000_000
SAMPLES = 20


async def measure_memory(generator: LoadGenerator, server: Server) -> list[tuple[int, float]]:
    """The resident megabytes of the server after how many requests, W2 and W3 in turn."""
    requests = [
        request
        for pair in zip(READ.requests(server.name), ME.requests(server.name), strict=False)
        for request in pair
    ]
    sizes = [(0, _resident_megabytes(server.pid))]
    for number in range(1, SAMPLES + 1):
        count = REQUESTS // SAMPLES
        await generator.load(server, requests, connections=CONNECTIONS, count=count)
        sizes.append((number * count, _resident_megabytes(server.pid)))
    return sizes


def _resident_megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
