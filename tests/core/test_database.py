"""One transaction a request, committed before the answer; what must outlive it has its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.types import Message, Receive, Scope, Send

from src.config import Settings
from src.database import Database
from src.dependencies import DatabaseDep, SessionDep
from src.exceptions import AppError, ConflictError
from tests.conftest import execute
from tests.support import KILL_CONNECTIONS, problem_of, query, small_app, talking_to, until

NOTES = """
    CREATE TABLE note (
        id int CONSTRAINT pk_note PRIMARY KEY,
        name text NOT NULL CONSTRAINT uq_note_name UNIQUE,
        later int CONSTRAINT uq_note_later UNIQUE DEFERRABLE INITIALLY DEFERRED,
        small smallint CONSTRAINT ck_note_small CHECK (small > 0)
    )
"""
JSON = {"Content-Type": "application/json"}
INSERT = text("INSERT INTO note VALUES (:id, :name, :later, :small)")


class NoteNameTakenError(ConflictError):
    """The conflict that a constraint of these tests means."""

    code = "note_name_taken"
    title = "There is such a note"
    constraint: ClassVar[str | None] = "uq_note_name"


class RefusedError(AppError):
    """Any refusal."""

    status = 401
    code = "refused"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Short waits and a small pool."""
    changes = {
        "database_pool_size": 2,
        "database_wait_seconds": 0.3,
        "statement_timeout_seconds": 0.5,
    }
    return settings.model_copy(update=changes)


@pytest.fixture
async def app(settings: Settings, database: Database, database_url: str) -> FastAPI:
    """An application that writes notes in every way that can go wrong."""
    await execute(database_url, NOTES)
    app = small_app(settings)
    app.state.database = database

    @app.post("/notes", status_code=201)
    async def create(session: SessionDep, note: dict[str, Any]) -> str:
        await session.execute(INSERT, {"later": None, "small": None} | note)
        return "created"

    @app.post("/notes-after-which-it-fails", status_code=201)
    async def create_and_fail(session: SessionDep, database: DatabaseDep) -> str:
        await session.execute(INSERT, {"id": 1, "name": "request", "later": None, "small": None})
        async with database.independent_transaction() as own:
            await own.execute(INSERT, {"id": 2, "name": "own", "later": None, "small": None})
        raise RefusedError

    @app.post("/notes-whose-connection-is-lost", status_code=201)
    async def create_and_lose_the_connection(session: SessionDep) -> str:
        await session.execute(INSERT, {"id": 1, "name": "lost", "later": None, "small": None})
        await execute(database_url, KILL_CONNECTIONS)
        return "created"

    @app.post("/notes-on-a-standby", status_code=201)
    async def create_on_a_standby(session: SessionDep) -> str:
        await session.execute(text("SET TRANSACTION READ ONLY"))
        await session.execute(INSERT, {"id": 1, "name": "late", "later": None, "small": None})
        return "created"

    @app.get("/unused")
    async def unused(session: SessionDep) -> int:
        found = await query(
            database_url,
            "SELECT FROM pg_stat_activity"
            " WHERE application_name = 'plaza' AND datname = current_database()",
        )
        return len(found)

    @app.get("/sleep")
    async def sleep(session: SessionDep, seconds: float) -> None:
        await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})

    @app.post("/swap")
    async def swap(session: SessionDep, first: int, second: int) -> None:
        await session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
        for number in (first, second):
            await session.execute(text("UPDATE note SET small = 7 WHERE id = :id"), {"id": number})
            await asyncio.sleep(0.25)

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Its client."""
    async with talking_to(app) as client:
        yield client


async def names(database_url: str) -> list[str]:
    """What is stored."""
    return [row["name"] for row in await query(database_url, "SELECT name FROM note ORDER BY id")]


async def test_it_is_committed_when_the_answer_begins(app: FastAPI, database_url: str) -> None:
    stored_at_the_start: list[list[str]] = []

    async def watch(scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                stored_at_the_start.append(await names(database_url))
            await send(message)

        await app(scope, receive, watched)

    transport = httpx.ASGITransport(watch)
    async with httpx.AsyncClient(transport=transport, base_url="http://plaza.test") as client:
        assert (await client.post("/notes", json={"id": 1, "name": "a"})).status_code == 201
    assert stored_at_the_start == [["a"]]


async def test_a_commit_that_fails_is_an_error(
    client: httpx.AsyncClient, database_url: str
) -> None:
    first = await client.post("/notes", json={"id": 1, "name": "a", "later": 1})
    assert first.status_code == 201
    second = await client.post("/notes", json={"id": 2, "name": "b", "later": 1})
    problem_of(second, 409, "conflict")
    assert await names(database_url) == ["a"]


async def test_a_connection_lost_before_the_commit_is_an_error(
    client: httpx.AsyncClient, database_url: str
) -> None:
    answer = await client.post("/notes-whose-connection-is-lost")
    problem_of(answer, 503, "database_unavailable")
    assert answer.headers["retry-after"]
    assert await names(database_url) == []


async def test_a_database_that_takes_no_changes_now_is_away(client: httpx.AsyncClient) -> None:
    problem_of(await client.post("/notes-on-a-standby"), 503, "database_unavailable")


async def test_an_error_rolls_back_all_but_the_independent_transaction(
    client: httpx.AsyncClient, database_url: str
) -> None:
    problem_of(await client.post("/notes-after-which-it-fails"), 401, "refused")
    assert await names(database_url) == ["own"]


async def test_an_independent_transaction_is_one_transaction(
    app: FastAPI, database: Database, database_url: str
) -> None:
    async def write_and_fail() -> None:
        async with database.independent_transaction() as own:
            await own.execute(INSERT, {"id": 1, "name": "a", "later": None, "small": None})
            raise RefusedError

    with pytest.raises(RefusedError):
        await write_and_fail()
    assert await names(database_url) == []


@pytest.mark.parametrize(
    ("note", "status", "code"),
    [
        ({"id": 2, "name": "a"}, 409, "note_name_taken"),
        ({"id": 1, "name": "b"}, 409, "conflict"),
        ({"id": 2, "name": "b", "small": -1}, 409, "conflict"),
        ({"id": 2, "name": "b", "small": 70_000}, 422, "validation_error"),
        ({"id": 2**70, "name": "b"}, 422, "validation_error"),
        ({"id": 2, "name": "b\0"}, 422, "validation_error"),
        ({"id": 2, "name": "\ud800"}, 422, "validation_error"),
        ({"id": 2, "name": None}, 500, "internal_error"),
    ],
)
async def test_what_postgresql_refuses_has_a_problem_of_its_own(
    client: httpx.AsyncClient, database_url: str, note: dict[str, Any], status: int, code: str
) -> None:
    assert (await client.post("/notes", json={"id": 1, "name": "a"})).status_code == 201
    answer = await client.post("/notes", content=json.dumps(note), headers=JSON)
    problem_of(answer, status, code)
    assert "violates" not in answer.text
    assert await names(database_url) == ["a"]


async def test_a_deadlock_is_a_conflict_and_the_other_side_succeeds(
    client: httpx.AsyncClient,
) -> None:
    notes = [client.post("/notes", json={"id": number, "name": str(number)}) for number in (1, 2)]
    await asyncio.gather(*notes)  # at once, so that both connections are open
    answers = await asyncio.gather(
        client.post("/swap", params={"first": 1, "second": 2}),
        client.post("/swap", params={"first": 2, "second": 1}),
    )
    good, bad = sorted(answers, key=lambda answer: answer.status_code)
    assert good.status_code == 200
    problem_of(bad, 409, "conflict")


async def test_no_connection_is_taken_before_the_first_statement(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/unused")).json() == 0


async def test_a_statement_that_takes_too_long_is_stopped(client: httpx.AsyncClient) -> None:
    answer = await client.get("/sleep", params={"seconds": 20})
    problem_of(answer, 503, "overloaded")
    assert answer.headers["retry-after"]


async def test_who_waits_too_long_for_a_connection_is_told(client: httpx.AsyncClient) -> None:
    sleeps = [client.get("/sleep", params={"seconds": 0.4}) for _ in range(3)]
    first, second, third = sorted(
        await asyncio.gather(*sleeps), key=lambda answer: answer.status_code
    )
    assert (first.status_code, second.status_code) == (200, 200)
    problem_of(third, 503, "overloaded")
    assert third.headers["retry-after"]


async def test_every_constraint_has_a_name_by_the_convention(database_url: str) -> None:
    found = await query(
        database_url,
        """
        SELECT table_name, conname AS name, contype::text AS kind FROM (
            SELECT conrelid::regclass::text AS table_name, conname, contype FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
            UNION
            SELECT tablename, indexname, 'i' FROM pg_indexes
            WHERE schemaname = 'public' AND indexname LIKE 'ix%'
        ) AS named
        WHERE table_name NOT LIKE 'pgqueuer%' AND table_name <> 'alembic_version'
        """,
    )
    prefixes = {"p": "pk", "u": "uq", "f": "fk", "c": "ck", "i": "ix"}
    assert {row["kind"] for row in found} == set(prefixes)
    for row in found:
        assert row["name"].startswith(f"{prefixes[row['kind']]}_{row['table_name']}"), row


async def test_who_is_cancelled_in_a_statement_is_cancelled(
    settings: Settings, database_url: str
) -> None:
    patient = settings.model_copy(update={"statement_timeout_seconds": 60})
    database = Database.open(database_url, patient)

    async def sleep() -> None:
        async with database.independent_transaction() as session:
            await session.execute(text("SELECT pg_sleep(60)"))

    async def is_sleeping() -> bool:
        here = "datname = current_database()"
        asleep = f"SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND {here}"
        return bool(await query(database_url, asleep))

    sleeping = asyncio.create_task(sleep())
    await until(is_sleeping)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    await database.close()
