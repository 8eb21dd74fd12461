"""W5: what password hashing does to everything else, and how much of it there can be."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

import asyncpg

from benchmarks import data
from benchmarks.environment import CORES
from benchmarks.generator import LoadGenerator, load_generator
from benchmarks.load import Sample
from benchmarks.measure import CONNECTIONS, Pace
from benchmarks.servers import PLAZA, Server, running
from benchmarks.workloads import READ, http_request, logins

CLIENTS = 8
CROWD = 50
HEALTH_PAUSE = 0.005
COSTS, THREADS = (10, 11, 12), (1, 2)


@dataclass(frozen=True, slots=True)
class LoginResult:
    """Logins alone; W2 alone and during logins, turn by turn; the health check during a crowd."""

    alone: list[Sample]
    idle: list[Sample]
    loaded: list[Sample]
    logins: list[Sample]
    health: Sample

    @property
    def rate_kept(self) -> float:
        """The part of the idle rate that W2 keeps."""
        pairs = zip(self.loaded, self.idle, strict=True)
        return median(loaded.rate / idle.rate for loaded, idle in pairs)

    @property
    def p99_ratio(self) -> float:
        """How many times as long as idle the slowest hundredth of W2 takes."""
        pairs = zip(self.loaded, self.idle, strict=True)
        return median(loaded.p99 / idle.p99 for loaded, idle in pairs)


async def measure_logins(generator: LoadGenerator, server: Server, pace: Pace) -> LoginResult:
    """Load the server with W2, without and with `CLIENTS` that sign in all the time."""
    requests = READ.requests(server.name)
    alone, idle, loaded, meanwhile = [], [], [], []
    async with load_generator() as login_generator:

        def sign_in(clients: int = CLIENTS) -> Coroutine[Any, Any, Sample]:
            return login_generator.load(server, logins(), connections=clients, seconds=pace.seconds)

        def read_posts() -> Coroutine[Any, Any, Sample]:
            return generator.load(server, requests, connections=CONNECTIONS, seconds=pace.seconds)

        for _ in range(pace.turns):
            alone.append(await sign_in())
            idle.append(await read_posts())
            reads, signed_in = await asyncio.gather(read_posts(), sign_in())
            loaded.append(reads)
            meanwhile.append(signed_in)
        crowd = asyncio.create_task(sign_in(CROWD))
        health = await generator.load(
            server,
            [http_request("GET", "/health/live", {})],
            connections=1,
            seconds=pace.seconds,
            pause=HEALTH_PAUSE,
        )
        await crowd
        return LoginResult(alone, idle, loaded, meanwhile, health)


async def measure_costs(
    database_url: str, pace: Pace, progress: Callable[[str], None]
) -> dict[tuple[int, int], LoginResult]:
    """The same for each cost of bcrypt and number of threads, with the server on all cores."""
    results = {}
    for rounds, threads in product(COSTS, THREADS):
        progress(f"cost {rounds}, {threads} threads")
        await _set_passwords(database_url, rounds)
        settings = {"BCRYPT_ROUNDS": str(rounds), "PASSWORD_THREADS": str(threads)}
        async with (
            running([PLAZA], database_url, settings, CORES) as [plaza],
            load_generator() as generator,
        ):
            results[rounds, threads] = await measure_logins(generator, plaza, pace)
    return results


async def _set_passwords(database_url: str, rounds: int) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE users SET password_hash = $1", data.hash_of_password(rounds))
    await connection.execute("VACUUM ANALYZE users")
    await connection.close()
