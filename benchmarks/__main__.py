"""Measure Plaza against the bare floor and an idiomatic server.

Ends with an error when an answer is wrong, never because a figure is bad. See benchmarks/README.md.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks import report
from benchmarks.answers import WrongAnswerError, compare_answers
from benchmarks.authentication import measure_authentication
from benchmarks.database import run_database
from benchmarks.generator import load_generator
from benchmarks.lists import grow, measure_lists
from benchmarks.logins import measure_costs, measure_logins
from benchmarks.measure import Pace, measure
from benchmarks.memory import REQUESTS, measure_memory
from benchmarks.peers import install_peers
from benchmarks.servers import PLAZA, SERVERS, running
from benchmarks.timing import TRIES, UNLIMITED, compare_times
from benchmarks.workloads import WORKLOADS

LOGINS, AUTHENTICATION, LISTS = "W5", "AUTH", "LISTS"
NAMES = [*(workload.name for workload in WORKLOADS), LOGINS, AUTHENTICATION, LISTS]
TIMES_AS_MANY = 10  # posts, to see whether what lists cost grows


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: the workloads, the logins, turns of authentication, tries of timing."""

    workloads: Pace
    logins: Pace
    authentication: int
    tries: int


FULL = Effort(Pace(turns=16, seconds=1), Pace(turns=5, seconds=3), 30, TRIES)
QUICK = Effort(Pace(turns=6, seconds=0.5), Pace(turns=3, seconds=1), 10, TRIES // 5)


async def benchmark(names: Sequence[str], effort: Effort, *, peers: bool) -> None:
    """Measure the named workloads, by the peers too if asked for, and print the figures."""
    servers = await _servers(peers=peers)
    async with run_database() as url:
        goals = []
        if served := set(names).difference([AUTHENTICATION, LISTS]):
            goals += await _measure_servers(url, servers, served, effort)
        if AUTHENTICATION in names:
            _progress("AUTH what it costs a request to know its caller")
            authentication = await measure_authentication(url, effort.authentication)
            goals += report.authentication_goals(authentication)
            print(report.authentication_table(authentication), end="\n\n")
        if LISTS in names:
            _progress("LISTS what lists of posts cost PostgreSQL")
            costs = await measure_lists(url)
            goals += report.list_goals(costs)
            print(report.list_table(costs), end="\n\n")
    print(report.goal_table(goals))


async def _servers(*, peers: bool) -> list[str]:
    return [*SERVERS, *(await install_peers() if peers else [])]


async def _measure_servers(
    url: str, started: Sequence[str], names: Collection[str], effort: Effort
) -> list[report.Goal]:
    """Measure what servers are needed for, and print the figures; the goals."""
    workloads = [workload for workload in WORKLOADS if workload.name in names]
    async with (
        running(started, url) as servers,
        load_generator() as generator,
    ):
        floor, plaza, *_ = servers
        for workload in workloads:
            await compare_answers(floor, servers[1:], workload)
        results = []
        for workload in workloads:
            _progress(f"{workload.name} {workload.title}")
            results.append(await measure(generator, servers, workload, effort.workloads))
        goals = report.workload_goals(results)
        if results:
            print(report.workload_table(results), end="\n\n")
        if warning := report.noise_warning(results):
            print(warning, end="\n\n")
        if LOGINS in names:
            _progress("W5 one post with its author, while clients log in")
            logins = await measure_logins(generator, plaza, effort.logins)
            goals += report.login_goals(logins)
            print(report.login_table(logins), end="\n\n")
    return goals


async def answers_benchmark(*, peers: bool) -> None:
    """Compare the answers of the servers, and time nothing."""
    servers = await _servers(peers=peers)
    async with run_database() as url, running(servers, url) as [floor, *others]:
        for workload in WORKLOADS:
            await compare_answers(floor, others, workload)


async def memory_benchmark() -> None:
    """Answer a million requests and print how the server's memory went."""
    async with (
        run_database() as url,
        running([PLAZA], url) as [plaza],
        load_generator() as generator,
    ):
        _progress(f"{REQUESTS:,} requests")
        sizes = await measure_memory(generator, plaza)
    print(report.memory_table(sizes), end="\n\n")
    print(report.goal_table(report.memory_goals(sizes)))


async def growth_benchmark() -> None:
    """Compare what lists cost with what they cost with ten times as many posts."""
    async with run_database() as url:
        before = await measure_lists(url)
        _progress(f"Filling in {TIMES_AS_MANY} times as many posts")
        await grow(url, TIMES_AS_MANY)
        after = await measure_lists(url)
    print(report.list_table(before, after), end="\n\n")
    print(report.goal_table(report.growth_goals(before, after)))


async def timing_benchmark(tries: int) -> None:
    """Compare the times of answers that must not tell what they keep to themselves."""
    async with run_database() as url, running([PLAZA], url, UNLIMITED) as [plaza]:
        comparisons = await compare_times(plaza, url, tries, _progress)
    print(report.timing_table(comparisons), end="\n\n")
    print(report.goal_table(report.timing_goals(comparisons)))


async def costs_benchmark(pace: Pace) -> None:
    """Count sign-ins with each cost of bcrypt and number of threads."""
    async with run_database() as url:
        print(report.cost_table(await measure_costs(url, pace, _progress)))


def _progress(what: str) -> None:
    print(f"{what}…", file=sys.stderr)


def _names(text: str) -> list[str]:
    names = text.upper().split(",")
    if unknown := set(names).difference(NAMES):
        raise argparse.ArgumentTypeError(f"no such workload: {', '.join(sorted(unknown))}")
    return names


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    parser.add_argument(
        "--only",
        type=_names,
        default=NAMES,
        metavar="W2,W3",
        help=f"some of {', '.join(NAMES)}",
    )
    parser.add_argument(
        "--peers", action="store_true", help="beside a server in Node.js too, which npm installs"
    )
    parser.add_argument(
        "--answers", action="store_true", help="whether the servers answer alike, nothing else"
    )
    parser.add_argument(
        "--memory", action="store_true", help="the memory after a million requests, nothing else"
    )
    parser.add_argument(
        "--growth",
        action="store_true",
        help="whether what lists of posts cost grows with their number, nothing else",
    )
    parser.add_argument(
        "--timing",
        action="store_true",
        help="whether the time of an answer tells who has an account, nothing else",
    )
    parser.add_argument(
        "--costs",
        action="store_true",
        help="sign-ins a second by cost of bcrypt and number of threads, nothing else",
    )
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    if arguments.answers:
        work = answers_benchmark(peers=arguments.peers)
    elif arguments.memory:
        work = memory_benchmark()
    elif arguments.growth:
        work = growth_benchmark()
    elif arguments.timing:
        work = timing_benchmark(effort.tries)
    elif arguments.costs:
        work = costs_benchmark(effort.logins)
    else:
        work = benchmark(arguments.only, effort, peers=arguments.peers)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way the servers are ended
    try:
        asyncio.run(work)
    except (WrongAnswerError, RuntimeError) as error:
        parser.exit(1, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130)


if __name__ == "__main__":
    main()
