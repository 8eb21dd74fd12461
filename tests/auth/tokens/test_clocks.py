"""Processes whose clocks differ, and guesses that are counted in another order than they began."""

import asyncio
from datetime import datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from src.auth.exceptions import TooManyFailuresError, TooManyRequestsError
from src.auth.guessing.backoff import LEAK, Backoff, Guesser
from src.auth.guessing.throttles import WINDOW, require_few
from src.config import Settings
from src.database import Database
from tests.auth.oauth.support import published, rotate
from tests.auth.support import TOKEN, code, rows
from tests.support import START, Accounts, FrozenClock

OFF = timedelta(minutes=5)
FREE = 50
REFUSED, WAIT = (400, "invalid_grant"), (429, "too_many_failures")
OFFICE = Guesser("office", FREE, cleared=False)
COUNTS = "SELECT count FROM failure_counts"


class BackwardClock(FrozenClock):
    """Every look at it is earlier than the one before."""

    def now(self) -> datetime:
        self.advance(timedelta(milliseconds=-1))
        return super().now()


class TestGuessesAtOnce:
    """Each is counted when it ends, with the time at which it was."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"failures_per_address": FREE})

    @pytest.fixture
    def clock(self) -> FrozenClock:
        return BackwardClock()

    async def test_fifty_wrong_guesses_count_fifty(
        self, client: httpx.AsyncClient, app: FastAPI
    ) -> None:
        guesses = [{"username": f"user-{number}", "password": "wrong"} for number in range(FREE)]
        answers = await asyncio.gather(*(client.post(TOKEN, data=each) for each in guesses))
        assert [code(answer) for answer in answers] == [REFUSED] * FREE
        assert max(await rows(app, COUNTS)) == FREE
        assert code(await client.post(TOKEN, data=guesses[0])) == WAIT


def clocks() -> tuple[FrozenClock, FrozenClock]:
    """One that is minutes behind, and one that is minutes ahead."""
    return FrozenClock(START - OFF), FrozenClock(START + OFF)


@pytest.mark.parametrize("ahead_first", [True, False])
async def test_failures_count_once_whoever_counts_them(
    app: FastAPI, settings: Settings, *, ahead_first: bool
) -> None:
    database: Database = app.state.database
    processes = [Backoff(database, settings, clock) for clock in clocks()]
    if ahead_first:
        processes.reverse()
    cleared, office = Guesser("ann", FREE), OFFICE

    async def fail(process: Backoff) -> None:
        async with database.independent_transaction() as session:
            await process.failed(session, [cleared, office])

    for number in range(FREE):
        for process in processes:
            await process.check([cleared, office])
        await fail(processes[number % 2])
    # The one that the process behind counts first is minutes old to the one ahead: it has leaked.
    assert sorted(await rows(app, COUNTS)) == [FREE if ahead_first else FREE - 1, FREE]
    for process in processes:
        with pytest.raises(TooManyFailuresError):
            await process.check([cleared])


async def test_nobody_waits_for_longer_than_the_backoff(app: FastAPI, settings: Settings) -> None:
    database: Database = app.state.database
    behind, ahead = (Backoff(database, settings, clock) for clock in clocks())
    guesser = Guesser("ann", 1)
    async with database.independent_transaction() as session:
        await ahead.failed(session, [guesser])
    with pytest.raises(TooManyFailuresError) as refused:
        await behind.check([guesser])
    assert refused.value.headers["Retry-After"] == "1"


async def test_the_time_of_the_last_failure_does_not_go_back(
    app: FastAPI, settings: Settings
) -> None:
    database: Database = app.state.database
    slow, fast = clocks()
    behind, ahead = Backoff(database, settings, slow), Backoff(database, settings, fast)
    for process in (ahead, behind):
        async with database.independent_transaction() as session:
            await process.failed(session, [OFFICE])
    assert await rows(app, "SELECT last_at FROM failure_counts") == [fast.now()]
    fast.advance(LEAK)
    async with database.independent_transaction() as session:
        await ahead.failed(session, [OFFICE])  # a minute later: one of two has leaked
    assert await rows(app, COUNTS) == [2]


async def test_mail_is_refused_for_an_hour_at_most(app: FastAPI) -> None:
    slow, fast = clocks()
    async with app.state.database.independent_transaction() as session:
        await require_few(session, "forgot:ann@x.test", 1, fast.now())
        with pytest.raises(TooManyRequestsError) as refused:
            await require_few(session, "forgot:ann@x.test", 1, slow.now())
    assert int(refused.value.headers["Retry-After"]) <= WINDOW.total_seconds() + 1


async def test_a_clock_that_is_set_back_does_not_stop_the_news_of_keys(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    await accounts.sign_in("ann")
    kid = await rotate(app)
    clock.advance(-OFF)
    assert kid in await published(client)


async def test_the_last_sign_in_is_the_latest(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    await accounts.sign_in("ann")
    clock.advance(-OFF)
    await accounts.sign_in("ann")
    assert await rows(app, "SELECT last_sign_in_at FROM users") == [START]
