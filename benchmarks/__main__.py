"""Measure Plaza against the bare floor and an idiomatic server.

Ends with an error when an answer is wrong, never because a figure is bad. See benchmarks/README.md.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from benchmarks import report
from benchmarks.answers import WrongAnswerError, compare_answers
from benchmarks.database import run_database
from benchmarks.generator import load_generator
from benchmarks.logins import measure_logins
from benchmarks.measure import Pace, measure
from benchmarks.memory import REQUESTS, measure_memory
from benchmarks.servers import COMMANDS, PLAZA, running
from benchmarks.workloads import WORKLOADS

FULL, FULL_LOGINS = Pace(turns=16, seconds=1), Pace(turns=5, seconds=3)
QUICK, QUICK_LOGINS = Pace(turns=6, seconds=0.5), Pace(turns=3, seconds=1)
LOGINS = "W5"
NAMES = [*(workload.name for workload in WORKLOADS), LOGINS]


async def benchmark(names: Sequence[str], pace: Pace, login_pace: Pace) -> None:
    """Measure the named workloads and print the figures."""
    workloads = [workload for workload in WORKLOADS if workload.name in names]
    async with (
        run_database() as url,
        running(list(COMMANDS), url) as servers,
        load_generator() as generator,
    ):
        floor, plaza, _ = servers
        for workload in workloads:
            await compare_answers(floor, servers[1:], workload)
        results = []
        for workload in workloads:
            _progress(f"{workload.name} {workload.title}")
            results.append(await measure(generator, servers, workload, pace))
        goals = report.workload_goals(results)
        if results:
            print(report.workload_table(results), end="\n\n")
        if warning := report.noise_warning(results):
            print(warning, end="\n\n")
        if LOGINS in names:
            _progress("W5 one post with its author, while clients log in")
            logins = await measure_logins(generator, plaza, login_pace)
            goals += report.login_goals(logins)
            print(report.login_table(logins), end="\n\n")
    print(report.goal_table(goals))


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
        "--memory", action="store_true", help="the memory after a million requests, nothing else"
    )
    arguments = parser.parse_args()
    if arguments.memory:
        work = memory_benchmark()
    elif arguments.quick:
        work = benchmark(arguments.only, QUICK, QUICK_LOGINS)
    else:
        work = benchmark(arguments.only, FULL, FULL_LOGINS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way the servers are ended
    try:
        asyncio.run(work)
    except (WrongAnswerError, RuntimeError) as error:
        parser.exit(1, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130)


if __name__ == "__main__":
    main()
