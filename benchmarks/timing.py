"""Whether the time of an answer tells what the answer keeps to itself: who has an account."""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlencode

import asyncpg

from benchmarks import data
from benchmarks.client import fetch
from benchmarks.servers import Server
from benchmarks.workloads import http_request

TRIES = 200
WARM_UPS = 5
# What a request leaves to be done afterwards may slow those that follow it.
FOLLOWING = 20
FOLLOWER = http_request("GET", "/health/live", {})
# So many wrong passwords come from one address.
UNLIMITED = {
    "FAILURES_PER_ADDRESS": "1000000",
    "FAILURES_PER_ACCOUNT": "1000000",
    "FAILURES_PER_PAIR": "1000000",
}

# Users by their numbers.
KNOWN, DISABLED, UNCONFIRMED = range(2000), range(2000, 4000), range(4000, 6000)
DISABLE = "UPDATE users SET is_active = false WHERE email = ANY($1)"
UNCONFIRM = "UPDATE users SET email_verified_at = NULL WHERE email = ANY($1)"


class Subject(NamedTuple):
    """One kind of request whose answer is that of the others; `of` gives the one of a try."""

    kind: str
    of: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How long the answers took, in milliseconds, by the kind of request."""

    name: str
    times: Mapping[str, Sequence[float]]

    def median(self, kind: str) -> float:
        """The median of one kind."""
        return median(self.times[kind])

    def middle_half(self, kind: str) -> tuple[float, float]:
        """The quartiles around it."""
        first, _, third = quantiles(self.times[kind])
        return first, third

    @property
    def fastest(self) -> float:
        """The shortest median."""
        return min(map(self.median, self.times))

    @property
    def ratio(self) -> float:
        """The longest median as a multiple of the shortest."""
        return max(map(self.median, self.times)) / self.fastest


async def compare_times(
    server: Server, database_url: str, tries: int, progress: Callable[[str], None]
) -> list[Comparison]:
    """Send requests of all kinds in turn, one at a time, each about another account.

    Raises:
        RuntimeError: an answer had another status than it should.
    """
    await _prepare(database_url)
    comparisons = []
    for name, status, subjects in COMPARED:
        progress(f"{name}, {tries} tries of {len(subjects)} kinds")
        times, following = await _measure(server, status, subjects, tries)
        comparisons.append(Comparison(name, times))
        comparisons.append(Comparison(f"{name}: the {FOLLOWING} requests after it", following))
    return comparisons


async def _measure(
    server: Server, status: int, subjects: Sequence[Subject], tries: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    connection = await asyncio.open_connection("127.0.0.1", server.port)
    times: dict[str, list[float]] = {subject.kind: [] for subject in subjects}
    following: dict[str, list[float]] = {subject.kind: [] for subject in subjects}
    for number in range(WARM_UPS + tries):
        for subject in random.sample(subjects, len(subjects)):  # what comes before may matter
            request = subject.of(number)
            started_at = perf_counter()
            given, body = await fetch(connection, request)
            times[subject.kind].append((perf_counter() - started_at) * 1000)
            if given != status:
                raise RuntimeError(f"{subject.kind}: {server.name} answers {given}: {body}")
            answered_at = perf_counter()
            for _ in range(FOLLOWING):
                await fetch(connection, FOLLOWER)
            following[subject.kind].append((perf_counter() - answered_at) * 1000)
    connection[1].close()
    return (
        {kind: taken[WARM_UPS:] for kind, taken in times.items()},
        {kind: taken[WARM_UPS:] for kind, taken in following.items()},
    )


async def _prepare(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    for statement, numbers in ((DISABLE, DISABLED), (UNCONFIRM, UNCONFIRMED)):
        await connection.execute(statement, [data.email(number) for number in numbers])
    await connection.execute("VACUUM ANALYZE users")
    await connection.close()


def _sign_in(login: str, password: str = "wrong horse battery staple") -> str:
    form = {"grant_type": "password", "username": login, "password": password}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return http_request("POST", "/api/v1/auth/token", headers, urlencode(form))


def _json(path: str, **fields: str) -> str:
    headers = {"Content-Type": "application/json"}
    return http_request("POST", f"/api/v1/auth{path}", headers, json.dumps(fields))


def _unknown_email(number: int) -> str:
    return data.email(data.USERS + number)


def _by_email(path: str, password: str | None = None, **users: range) -> list[Subject]:
    """Requests with an unknown address, and with those of these users."""
    fields = {"password": password} if password else {}

    def with_address_of(numbers: range) -> Callable[[int], str]:
        return lambda number: _json(path, email=data.email(numbers[number]), **fields)

    unknown = Subject("unknown", lambda number: _json(path, email=_unknown_email(number), **fields))
    return [unknown, *(Subject(kind, with_address_of(some)) for kind, some in users.items())]


SIGN_INS = [
    Subject("unknown address", lambda number: _sign_in(_unknown_email(number))),
    Subject("unknown username", lambda number: _sign_in(f"user-{data.USERS + number}")),
    Subject("known address", lambda number: _sign_in(data.email(KNOWN[number]))),
    Subject("known username", lambda number: _sign_in(f"user-{KNOWN[1000 + number]}")),
    Subject("unconfirmed", lambda number: _sign_in(data.email(UNCONFIRMED[number]))),
    Subject(
        "disabled, with the right password",
        lambda number: _sign_in(data.email(DISABLED[number]), data.PASSWORD),
    ),
]
# By name and status. The registrations come last, since they make addresses known.
COMPARED: list[tuple[str, int, list[Subject]]] = [
    ("sign-in", 400, SIGN_INS),
    ("resend", 202, _by_email("/email/resend", known=KNOWN, unconfirmed=UNCONFIRMED)),
    (
        "forgot",
        202,
        _by_email("/password/forgot", known=KNOWN, disabled=DISABLED, unconfirmed=UNCONFIRMED),
    ),
    (
        "registration",
        202,
        _by_email("/register", data.PASSWORD, known=KNOWN, unconfirmed=UNCONFIRMED),
    ),
]
