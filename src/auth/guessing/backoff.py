"""Wrong guesses of passwords and codes: the more in a row, the longer the next has to wait.

Whoever guesses is counted by the account, by their address and by both together, so neither many
addresses nor many accounts help. Nobody is locked out: after each wait one guess is free, and a
device that has signed in to the account before is counted on its own.

Guesses that run side by side are all begun, but each is decided when it ends: after too many wrong
ones even the right one is refused, so that nothing is won by sending them at once.
"""

import hashlib
import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    case,
    cast,
    delete,
    extract,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from src.auth.exceptions import TooManyFailuresError
from src.auth.models import FailureCount
from src.clock import Clock, elapsed
from src.config import Settings
from src.database import Database
from src.http.peer import counted_networks
from src.sql.session import DatabaseSession
from src.sql.statements import Query

FORGOTTEN_AFTER = timedelta(days=1)
# After so long an address has one failure less: people behind one mistype every day.
LEAK = timedelta(minutes=1)
MAX_DOUBLINGS = 30


@Query
def _counts(keys: list[bytes]) -> Select[bytes, int, datetime]:
    return select(FailureCount.key, FailureCount.count, FailureCount.last_at).where(
        FailureCount.key == func.any(keys)
    )


@dataclass(frozen=True, slots=True)
class Guesser:
    """One thing that is counted, how many failures it has free, and whether a success clears it."""

    subject: str
    free: int
    cleared: bool = True
    # One failure less in so much time, of what no success clears.
    leak: timedelta = LEAK

    @property
    def key(self) -> bytes:
        """What is stored of it."""
        return hashlib.sha256(self.subject.encode()).digest()


def password_guessers(account: str, network: str, settings: Settings) -> list[Guesser]:
    """Who is counted for a wrong password of an account, given from a network.

    The account goes by the name that was written, known or not: by its id, the counts would tell
    which address has which username.
    """
    return [
        Guesser(f"account:{account}", settings.failures_per_account),
        # Whoever has an account of their own must not clear their address by signing in to it.
        *(
            Guesser(
                f"address:{one}",
                settings.failures_per_address * times,
                cleared=False,
                leak=LEAK / times,
            )
            for one, times in counted_networks(network)
        ),
        Guesser(f"pair:{account} {network}", settings.failures_per_pair),
    ]


class Backoff:
    """Counts failures in PostgreSQL, for every process alike."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._longest = settings.longest_backoff
        self._clock = clock

    async def check(self, guessers: Sequence[Guesser]) -> None:
        """Refuse early what would be refused in the end, before a password is hashed for it.

        Raises:
            TooManyFailuresError: one of them has to wait.
        """
        rows = await _counts.all(self._database.reads, keys=[one.key for one in guessers])
        self._refuse_waiting(guessers, {key: (count, last_at) for key, count, last_at in rows})

    async def failed(self, session: DatabaseSession, guessers: Sequence[Guesser]) -> None:
        """Count a failure, in an independent transaction, since the request fails.

        Raises:
            TooManyFailuresError: one of them had to wait already: other guesses were faster.
        """
        now = self._clock.now()
        for guesser in sorted(guessers, key=lambda one: one.key):  # one order: no deadlock
            if await session.scalar(self._count(guesser, now)) is None:
                await session.rollback()
                await self.check(guessers)  # says how long, as to a right guess
                raise TooManyFailuresError(1)

    async def succeeded(self, session: DatabaseSession, guessers: Sequence[Guesser]) -> None:
        """Clear the counts, in the transaction of what the right guess opens.

        Raises:
            TooManyFailuresError: one of them has to wait: this guess came after too many others.
        """
        counts = await self._locked_counts(session, guessers)
        self._refuse_waiting(guessers, counts)
        await self._forget(session, guessers, counts)

    async def clear(self, session: DatabaseSession, guessers: Sequence[Guesser]) -> None:
        """Clear the counts for a guess that was decided before this transaction."""
        await self._forget(session, guessers, await self._locked_counts(session, guessers))

    async def _forget(
        self, session: DatabaseSession, guessers: Iterable[Guesser], locked: Container[bytes]
    ) -> None:
        # Only what is locked: a row that came meanwhile may be held by who waits for this.
        cleared = [one.key for one in guessers if one.cleared and one.key in locked]
        await session.execute(delete(FailureCount).where(FailureCount.key.in_(cleared)))

    async def _locked_counts(
        self, session: DatabaseSession, guessers: Iterable[Guesser]
    ) -> dict[bytes, tuple[int, datetime]]:
        rows = await session.execute(
            select(FailureCount.key, FailureCount.count, FailureCount.last_at)
            .where(FailureCount.key.in_([one.key for one in guessers]))
            .order_by(FailureCount.key)  # one order: no deadlock
            .with_for_update()
        )
        return {key: (count, last_at) for key, count, last_at in rows}

    def _refuse_waiting(
        self, guessers: Iterable[Guesser], counts: dict[bytes, tuple[int, datetime]]
    ) -> None:
        now = self._clock.now()
        wait = timedelta(0)
        for guesser in guessers:
            count, last_at = counts.get(guesser.key, (0, now))
            waited = elapsed(last_at, now)
            leaked = 0 if guesser.cleared else waited // guesser.leak
            if (too_many := count - leaked - guesser.free) >= 0:
                wait = max(wait, self._delay(too_many) - waited)
        if wait > timedelta(0):
            raise TooManyFailuresError(math.ceil(wait.total_seconds()))

    def _delay(self, too_many: int) -> timedelta:
        """How long to wait after so many failures beyond the free ones."""
        return min(timedelta(seconds=2 ** min(too_many, MAX_DOUBLINGS)), self._longest)

    def _count(self, guesser: Guesser, now: datetime) -> ReturningInsert[tuple[int]]:
        old = FailureCount.last_at <= now - FORGOTTEN_AFTER
        # Guesses are counted in another order than they began in, and clocks differ.
        seconds_waited = func.greatest(extract("epoch", now - FailureCount.last_at), 0)
        count: ColumnElement[int] = FailureCount.count.expression
        if not guesser.cleared:
            leaked = cast(func.floor(seconds_waited / guesser.leak.total_seconds()), Integer)
            count = func.greatest(count - leaked, 0)
        delay = func.least(
            func.power(2, func.least(count - guesser.free, MAX_DOUBLINGS)),
            self._longest.total_seconds(),
        )
        return (
            insert(FailureCount)
            .values(key=guesser.key, count=1, last_at=now)
            .on_conflict_do_update(
                index_elements=[FailureCount.key],
                set_={
                    "count": case((old, 1), else_=count + 1),
                    "last_at": func.greatest(FailureCount.last_at, now),
                },
                where=(count < guesser.free) | (seconds_waited >= delay),
            )
            .returning(FailureCount.count)
        )
