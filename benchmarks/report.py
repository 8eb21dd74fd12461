"""The figures and the goals as Markdown tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.authentication import Authentication
from benchmarks.lists import FAR_PAGE, FEED, SIGNED_IN, ListCost
from benchmarks.logins import CLIENTS, CROWD, LoginResult
from benchmarks.measure import Result
from benchmarks.servers import FLOOR, IDIOMATIC, PLAZA, SERVERS
from benchmarks.timing import Comparison

RATE_KEPT = 0.9
P99_RATIO = 4
HEALTH_P99 = 50
AUTHENTICATION_CPU = 150
TIMES_RATIO = 1.1
MEGABYTES = 150
GROWTH = 1.05
SEARCH_MILLISECONDS = 15
PAGES_RATIO = 1.2
FEED_RATIO = 3
GROWTH_RATIO = 1.3
NOISE = 0.1


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure and what it should be."""

    subject: str
    figure: str
    wanted: str
    measured: str
    reached: bool


def workload_table(results: Sequence[Result]) -> str:
    """What each server did on each workload."""
    headings = [
        "",
        "requests/s",
        "of floor",
        "CPU µs/request",
        "busy",
        "waiting",
        "p50 ms",
        "p99 ms",
    ]
    rows = [
        [
            f"{result.workload.name} {server}",
            f"{result.rate(server):.0f}",
            f"{result.ratio(server, FLOOR):.2f}",
            f"{result.cpu_per_request(server):.0f}",
            f"{result.busy(server):.0%}",
            f"{result.waiting(server):.0%}",
            f"{result.p50(server):.1f}",
            f"{result.p99(server):.1f}",
        ]
        for result in results
        for server in result.samples
    ]
    return _table(headings, rows)


def noise_warning(results: Sequence[Result]) -> str | None:
    """What to think of the figures when other processes took the server's core, else None."""
    worst = max((result.waiting(server) for result in results for server in SERVERS), default=0)
    if worst < NOISE:
        return None
    return f"Noisy: a server waited {worst:.0%} of the time for its core. Trust the CPU time only."


def login_table(result: LoginResult) -> str:
    """W2 with and without logins, and the health check during a crowd of them."""
    rows = [
        [
            title,
            f"{median(sample.rate for sample in samples):.1f}",
            f"{median(sample.p50 for sample in samples):.1f}",
            f"{median(sample.p99 for sample in samples):.1f}",
        ]
        for title, samples in (
            ("the logins alone", result.alone),
            ("W2 alone", result.idle),
            (f"W2 while {CLIENTS} clients log in", result.loaded),
            ("the logins meanwhile", result.logins),
            (f"/health/live while {CROWD} clients log in", [result.health]),
        )
    ]
    return _table(["W5", "requests/s", "p50 ms", "p99 ms"], rows)


def cost_table(results: Mapping[tuple[int, int], LoginResult]) -> str:
    """Sign-ins with each cost of bcrypt and number of threads, and what W2 keeps meanwhile."""
    headings = [
        "cost",
        "threads",
        "sign-ins/s alone",
        "sign-ins/s during W2",
        "W2/s alone",
        "W2 kept",
        "W2 p99 ms",
        "/health/live p99 ms",
    ]
    rows = [
        [
            str(rounds),
            str(threads),
            f"{median(sample.rate for sample in result.alone):.1f}",
            f"{median(sample.rate for sample in result.logins):.1f}",
            f"{median(sample.rate for sample in result.idle):.0f}",
            f"{result.rate_kept:.0%}",
            f"{median(sample.p99 for sample in result.loaded):.0f}",
            f"{result.health.p99:.0f}",
        ]
        for (rounds, threads), result in results.items()
    ]
    return _table(headings, rows)


def authentication_table(results: Sequence[Authentication]) -> str:
    """What authenticating costs a request, the statement and everything else."""
    rows = [
        [title, f"{median(times):.0f}", f"{result.beyond_the_statement(times):.0f}"]
        for result in results
        for title, times in (
            (f"{result.kind}: its statement alone", result.statement_alone),
            (f"{result.kind}, seen before", result.remembered),
            (f"{result.kind}, seen for the first time", result.first_seen),
        )
    ]
    return _table(["AUTH", "CPU µs/request", "beyond the statement"], rows)


def timing_table(comparisons: Sequence[Comparison]) -> str:
    """How long each kind of request waited for its answer."""
    rows = [
        [
            f"{comparison.name}: {kind}",
            str(len(times)),
            f"{comparison.median(kind):.2f}",
            "–".join(f"{quartile:.2f}" for quartile in comparison.middle_half(kind)),
            f"{comparison.median(kind) / comparison.fastest:.3f}",
        ]
        for comparison in comparisons
        for kind, times in comparison.times.items()
    ]
    return _table(["", "tries", "median ms", "middle half ms", "of the fastest"], rows)


def memory_table(sizes: Sequence[tuple[int, float]]) -> str:
    """The server's memory as the requests went by."""
    rows = [[f"{requests:,}", f"{megabytes:.1f}"] for requests, megabytes in sizes]
    return _table(["requests", "resident MB"], rows)


def list_table(costs: Sequence[ListCost], after: Sequence[ListCost] = ()) -> str:
    """What each list costs, and where there are ten times as many posts."""
    rows = [[f"LISTS {cost.title}", f"{cost.milliseconds:.2f}"] for cost in costs]
    for row, cost in zip(rows, after, strict=False):
        row += [f"{cost.milliseconds:.2f}", f"{cost.milliseconds / float(row[1]):.2f}"]
    more = ["ms with ten times as many posts", "ratio"] if after else []
    return _table(["", "ms", *more], rows)


def list_goals(costs: Sequence[ListCost]) -> list[Goal]:
    """Searching is quick, and a page far behind costs what the first does."""
    by_title = {cost.title: cost.milliseconds for cost in costs}
    search = by_title["with a common word"]
    pages = by_title[f"newest, page {FAR_PAGE}"] / by_title["newest"]
    feed = by_title[FEED] / by_title[SIGNED_IN]
    return [
        Goal(
            "LISTS a common word in 100,000 posts",
            "ms of PostgreSQL",
            f"≤ {SEARCH_MILLISECONDS}",
            f"{search:.1f}",
            search <= SEARCH_MILLISECONDS,
        ),
        Goal(
            f"LISTS page {FAR_PAGE}",
            "cost / page 1",
            f"≤ {PAGES_RATIO:g}",
            f"{pages:.2f}",
            pages <= PAGES_RATIO,
        ),
        Goal(
            f"LISTS {FEED}",
            f"cost / {SIGNED_IN}",
            f"≤ {FEED_RATIO}",
            f"{feed:.2f}",
            feed <= FEED_RATIO,
        ),
    ]


def growth_goals(before: Sequence[ListCost], after: Sequence[ListCost]) -> list[Goal]:
    """No list costs more when there are ten times as many posts."""
    return [
        Goal(
            f"LISTS {few.title}",
            "cost of ten times as many posts",
            f"≤ {GROWTH_RATIO:g}",
            f"{many.milliseconds / few.milliseconds:.2f}",
            many.milliseconds / few.milliseconds <= GROWTH_RATIO,
        )
        for few, many in zip(before, after, strict=True)
    ]


def goal_table(goals: Sequence[Goal]) -> str:
    """Whether the goals are reached."""
    rows = [
        [
            f"{goal.subject}: {goal.figure}",
            goal.wanted,
            goal.measured,
            "yes" if goal.reached else "no",
        ]
        for goal in goals
    ]
    return _table(["goal", "wanted", "measured", "reached"], rows)


def workload_goals(results: Sequence[Result]) -> list[Goal]:
    """Plaza's rates as multiples of the floor's and of the idiomatic server's."""
    return [
        Goal(
            f"{result.workload.name} {result.workload.title}",
            f"rate of Plaza / {other}",
            f"≥ {wanted:g}",
            f"{result.ratio(PLAZA, other):.2f}",
            result.ratio(PLAZA, other) >= wanted,
        )
        for result in results
        for other, wanted in (
            (FLOOR, result.workload.of_floor),
            (IDIOMATIC, result.workload.of_idiomatic),
        )
    ]


def login_goals(result: LoginResult) -> list[Goal]:
    """What W2 keeps while clients log in, and how long the health check waits for a crowd."""
    subject = "W5 W2 during logins"
    rate, p99 = result.rate_kept, result.p99_ratio
    health = result.health.p99
    return [
        Goal(subject, "rate / idle", f"≥ {RATE_KEPT:g}", f"{rate:.2f}", rate >= RATE_KEPT),
        Goal(subject, "p99 / idle", f"≤ {P99_RATIO:g}", f"{p99:.2f}", p99 <= P99_RATIO),
        Goal(
            f"W5 /health/live during {CROWD} logins at once",
            "p99 ms",
            f"< {HEALTH_P99}",
            f"{health:.1f}",
            health < HEALTH_P99,
        ),
    ]


def authentication_goals(results: Sequence[Authentication]) -> list[Goal]:
    """That a caller costs one statement and little more."""
    goals = []
    for result in results:
        subject = f"AUTH {result.kind}"
        cpu = result.beyond_the_statement(result.remembered)
        goals += [
            Goal(
                subject,
                "statements, and how they find their rows",
                "1, pk_…",
                f"{result.statements}, {' '.join(result.indexes)}",
                result.one_by_primary_keys,
            ),
            Goal(
                subject,
                "CPU µs beyond the statement",
                f"< {AUTHENTICATION_CPU}",
                f"{cpu:.0f}",
                cpu < AUTHENTICATION_CPU,
            ),
        ]
    return goals


def timing_goals(comparisons: Sequence[Comparison]) -> list[Goal]:
    """That no answer's time tells what the answer keeps to itself."""
    return [
        Goal(
            f"time of {comparison.name}",
            "slowest median / fastest",
            f"≤ {TIMES_RATIO:g}",
            f"{comparison.ratio:.3f}",
            comparison.ratio <= TIMES_RATIO,
        )
        for comparison in comparisons
    ]


def memory_goals(sizes: Sequence[tuple[int, float]]) -> list[Goal]:
    """That the server stays small, and does not grow once it is warm."""
    megabytes = [size for _, size in sizes]
    largest = max(megabytes)
    growth = megabytes[-1] / megabytes[len(megabytes) // 4]
    return [
        Goal("memory", "MB at most", f"< {MEGABYTES}", f"{largest:.0f}", largest < MEGABYTES),
        Goal(
            "memory",
            "at the end / after a quarter",
            f"≤ {GROWTH:g}",
            f"{growth:.3f}",
            growth <= GROWTH,
        ),
    ]


def _table(headings: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with the columns after the first aligned to the right."""
    columns = zip(headings, *rows, strict=True)
    widths = [max(len(cell) for cell in column) for column in columns]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in (headings, *rows)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
