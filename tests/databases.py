"""A database for each test: the last one emptied, as long as a test has changed rows alone."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from sqlalchemy.pool import AsyncAdaptedQueuePool

from src.config import Settings
from src.database import Database

TABLES = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
"""
OWN_NUMBER = "SELECT oid FROM pg_database WHERE datname = current_database()"
# The catalogs' rows of our own have a number after PostgreSQL's. What a test makes or changes in
# them has the number of a later transaction.
CATALOGS = (
    *(("pg_class", "oid"), ("pg_attribute", "attrelid"), ("pg_index", "indexrelid")),
    *(("pg_constraint", "oid"), ("pg_trigger", "oid"), ("pg_proc", "oid"), ("pg_type", "oid")),
    *(("pg_namespace", "oid"), ("pg_attrdef", "oid")),
)
# All that a test may leave behind beside a few rows: statistics, sessions in the middle of
# something, and tables in which even the place of deleted rows takes time to be read over.
STATE = " UNION ALL ".join(
    f"SELECT count(*), max(xmin::text::bigint) FROM {rows}"  # noqa: S608
    for rows in (
        "alembic_version",
        f"pg_db_role_setting WHERE setdatabase IN ({OWN_NUMBER})",
        *(f"{catalog} WHERE {number} >= 16384" for catalog, number in CATALOGS),
    )
)
STATE += f"""
UNION ALL SELECT count(*), 0 FROM pg_class WHERE oid >= 16384 AND reltuples >= 0
UNION ALL SELECT count(*), 0 FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
UNION ALL SELECT count(*), 0 FROM ({TABLES} AND pg_relation_size(oid) > 1000000) AS grown
"""  # noqa: S608
# Those of the application are kept.
CUT_OFF = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'plaza'
"""
MOST_CONNECTIONS = 10  # of those that are kept: PostgreSQL has a hundred
NO_TRIGGERS = "SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '1s'"


def on_database(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@dataclass
class Kept:
    """A copy of the template, a connection to it, and what applications have opened to it."""

    name: str
    url: str
    connection: asyncpg.Connection
    as_made: list[asyncpg.Record]
    emptying: str
    opened: Database | None = None


class Databases:
    """Gives each test a database that is as the template is.

    Nearly every test leaves it as it was but for rows, which are deleted. The next one takes over
    what PostgreSQL and its connections know of it by then: a short test takes half the time.
    """

    def __init__(self, server: asyncpg.Connection, url: str, template: str) -> None:
        self._server = server
        self._url = url
        self._template = template
        self._loop = asyncio.get_running_loop()
        self._kept: Kept | None = None
        self._open = Database.open
        self._close = Database.close

    async def take(self) -> str:
        """The URL of an empty one."""
        if self._kept is None:
            self._kept = await self._make()
        return self._kept.url

    async def give_back(self) -> None:
        """Empty it, or drop it where more than rows has changed."""
        kept = self._kept
        if kept and not await self._emptied(kept):
            await self.drop()

    async def drop(self) -> None:
        """Drop the one that is kept, and cut off whoever is still connected to it."""
        kept, self._kept = self._kept, None
        if kept:
            if kept.opened:
                await self._close(kept.opened)
            kept.connection.terminate()
            await self._server.execute(f"DROP DATABASE {kept.name} WITH (FORCE)")

    def open(self, url: str, settings: Settings) -> Database:
        """`Database.open`, or what an earlier test has opened with the same limits."""
        database, kept = self._open(url, settings), self._kept_for(url)
        if kept and kept.opened and _limits(kept.opened) == _limits(database):
            database, kept.opened = kept.opened, None
        return database

    async def keep(self, database: Database) -> None:
        """`Database.close`, but for the latest that the next test can use."""
        kept = self._kept_for(database.url)
        unused: Database | None = database
        if kept and _is_small(database):
            unused, kept.opened = kept.opened, database
        if unused:
            await self._close(unused)

    def _kept_for(self, url: str) -> Kept | None:
        """The one that is kept, unless a command with a loop of its own asks, or it is another."""
        same_loop = asyncio.get_running_loop() is self._loop
        return self._kept if self._kept and self._kept.url == url and same_loop else None

    async def _make(self) -> Kept:
        name = f"plaza_test_{uuid4().hex}"
        # Ten milliseconds; the other strategy takes twice as long.
        await self._server.execute(
            f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY"
        )
        url = on_database(self._url, name)
        connection = await asyncpg.connect(url)
        tables = await connection.fetch(TABLES)
        deletes = [f"DELETE FROM {table}" for (table,) in tables]  # noqa: S608 - quoted by regclass
        return Kept(
            name,
            url,
            connection,
            as_made=await connection.fetch(STATE),
            emptying="; ".join([NO_TRIGGERS, *deletes]),
        )

    async def _emptied(self, kept: Kept) -> bool:
        connection = kept.connection
        try:
            await connection.execute(CUT_OFF)
            if await connection.fetch(STATE) != kept.as_made:
                return False
            await connection.execute(kept.emptying)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):  # cut off by the test, for one
            return False
        return True


def _limits(database: Database) -> list[float]:
    reads, writes = database.reads, database.writes
    return [reads._size, reads._wait_seconds, writes._size, writes._use_seconds]


def _is_small(database: Database) -> bool:
    """Whether its connections leave enough for others, and none of them is in use."""
    reads, writes, engine = database.reads, database.writes, database.engine.pool
    assert isinstance(engine, AsyncAdaptedQueuePool)
    in_use = engine.checkedout() or reads._in_use_since or writes._in_use_since
    return not in_use and reads._open + writes._open + engine.checkedin() <= MOST_CONNECTIONS
