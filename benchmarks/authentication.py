"""AUTH: what it costs a request to know its caller, measured inside the process."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from time import thread_time
from typing import Any, NamedTuple, TypeAlias
from unittest.mock import patch

from fastapi import FastAPI
from fastapi.security import SecurityScopes
from pydantic import SecretStr
from sqlalchemy import event
from starlette.requests import Request

from benchmarks import data
from benchmarks.environment import settings_with_keys
from benchmarks.servers import PLAZA
from benchmarks.workloads import TOKEN_LIFETIME, authorizations
from src.access.principals import Principal, bearer_token, current_principal, optional_principal
from src.auth.tokens.opaque_tokens import secret_digest
from src.database import Database
from src.ids import uuid7
from src.main import create_app
from src.personal_tokens.models import PersonalToken
from src.personal_tokens.tokens import new_token
from src.sql.pool import Connection

TOKENS = 100  # in one turn, each from another session
SCOPE = "profile:read"


class Ran(NamedTuple):
    """A statement that PostgreSQL was given."""

    sql: str
    arguments: list[object]


@dataclass(frozen=True, slots=True)
class Authentication:
    """What authenticating with one kind of token cost; CPU times in µs a request, turn by turn.

    The statements are those of most requests whose token was seen before.
    """

    kind: str
    statements: int
    indexes: list[str]
    statement_alone: list[float]
    remembered: list[float]
    first_seen: list[float]

    def beyond_the_statement(self, times: Sequence[float]) -> float:
        """The median of what these took more than the statement alone in the same turn."""
        pairs = zip(times, self.statement_alone, strict=True)
        return median(whole - alone for whole, alone in pairs)

    @property
    def one_by_primary_keys(self) -> bool:
        """Whether it is one statement, which finds all its rows by primary keys."""
        return self.statements == 1 and all(name.startswith("pk_") for name in self.indexes)


# Makes so many Authorization headers, with tokens of a kind that the application has not seen yet.
NewTokens: TypeAlias = Callable[[FastAPI], Awaitable[list[str]]]


async def _access_tokens(_: FastAPI) -> list[str]:
    return [headers["Authorization"] for headers in authorizations(PLAZA)[:TOKENS]]


async def _personal_tokens(app: FastAPI) -> list[str]:
    now = datetime.now(UTC)
    texts = []
    database: Database = app.state.database
    async with database.independent_transaction() as session:
        for number in range(TOKENS):
            token_id = uuid7()
            texts.append(new_token(token_id))
            token = PersonalToken(
                id=token_id,
                user_id=data.user_id(number),
                name="benchmark",
                scope=data.SCOPE,
                secret_hash=secret_digest(texts[-1]),
                created_at=now,
                expires_at=now + TOKEN_LIFETIME,
            )
            session.add(token)
    return [f"Bearer {text}" for text in texts]


KINDS: dict[str, NewTokens] = {
    "access token": _access_tokens,
    "personal token": _personal_tokens,
}


async def measure_authentication(database_url: str, turns: int) -> list[Authentication]:
    """Authenticate requests in the application itself, and run the same statement alone."""
    settings = settings_with_keys().model_copy(
        update={
            "database_url": SecretStr(database_url),
            "worker_in_server": False,
            "rate_limit_enabled": False,
        }
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        return [await _measure(app, kind, new, turns) for kind, new in KINDS.items()]


async def _measure(app: FastAPI, kind: str, new: NewTokens, turns: int) -> Authentication:
    database: Database = app.state.database
    ran_for = []
    for header in await new(app):
        await _authenticate(_request(app, header))
        with _recorded(database) as ran:
            await _authenticate(_request(app, header))
        ran_for.append(ran)

    async def statements_alone(ran: list[Ran]) -> None:
        for sql, arguments in ran:
            await database.reads.fetch(sql, arguments)

    alone, remembered, first_seen = [], [], []
    for _ in range(turns):
        headers = await new(app)
        # What a request has found out, it keeps.
        first, second = ([_request(app, header) for header in headers] for _ in range(2))
        first_seen.append(await _cpu_each(_authenticate, first))
        alone.append(await _cpu_each(statements_alone, ran_for))
        remembered.append(await _cpu_each(_authenticate, second))
    typical = sorted(ran_for, key=len)[TOKENS // 2]
    return Authentication(
        kind,
        len(typical),
        [name for sql, arguments in typical for name in await _scans(database, sql, arguments)],
        alone,
        remembered,
        first_seen,
    )


async def _authenticate(request: Request) -> Principal:
    """The dependencies of a route that asks for a caller, in their order."""
    principal = await optional_principal(request, await bearer_token(request))
    return await current_principal(SecurityScopes([SCOPE]), principal)


async def _cpu_each(run: Callable[[Any], Awaitable[object]], subjects: Sequence[Any]) -> float:
    """The microseconds of CPU time that one run took."""
    started_at = thread_time()
    for subject in subjects:
        await run(subject)
    return (thread_time() - started_at) / len(subjects) * 1e6


def _request(app: FastAPI, authorization: str) -> Request:
    headers = [(b"accept", b"application/json"), (b"authorization", authorization.encode())]
    scope = {"type": "http", "app": app, "query_string": b"", "headers": headers, "state": {}}
    return Request(scope)


@contextmanager
def _recorded(database: Database) -> Iterator[list[Ran]]:
    """Every statement that runs in the block, whatever runs it."""
    ran: list[Ran] = []
    fetch = Connection.fetch

    async def recording(
        connection: Connection, sql: str, arguments: list[object], *, replan: bool = False
    ) -> object:
        ran.append(Ran(sql, arguments))
        return await fetch(connection, sql, arguments, replan=replan)

    def record(_: object, __: object, sql: str, arguments: list[object], *___: object) -> None:
        ran.append(Ran(sql, arguments))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    with patch.object(Connection, "fetch", recording):
        yield ran
    event.remove(engine, "before_cursor_execute", record)


async def _scans(database: Database, sql: str, arguments: list[object]) -> list[str]:
    """How PostgreSQL finds each table's rows: the index, or the kind of scan without one."""
    [row] = await database.reads.fetch(f"EXPLAIN (FORMAT JSON) {sql}", arguments)
    nodes, scans = [json.loads(row[0])[0]["Plan"]], []
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Relation Name" in node:
            scans.append(node.get("Index Name") or f"{node['Node Type']} {node['Relation Name']}")
    return sorted(scans)
