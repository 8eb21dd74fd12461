"""The benchmark's PostgreSQL: filled once, copied for every run."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from benchmarks import data
from benchmarks.environment import DATA_DIR, OTHER_CORES, server_environment
from src.config import PROJECT_ROOT
from src.sql import embedded_postgres

FILLED = "plaza_benchmark"
RUN = "plaza_benchmark_run_"
LOCK = 0x62656E6368  # "bench": two benchmarks that start at once prepare in turn


@asynccontextmanager
async def run_database() -> AsyncIterator[str]:
    """The URL of a filled database of this run alone, dropped at the end.

    It lives on the server of DATABASE_URL, or on the embedded one, which is kept off the server's
    core. The filled original is made anew when what makes it has changed.
    Commits do not wait for the disk, which is not what is measured.
    """
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    url = given_url = os.environ.get("DATABASE_URL")
    if not url:
        url = await asyncio.to_thread(_start_embedded)
    name = RUN + uuid4().hex
    server = await asyncpg.connect(url)
    await server.execute("SELECT pg_advisory_lock($1)", LOCK)
    await _ensure_filled(server, url)
    await _drop_leftovers(server)
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {FILLED} STRATEGY FILE_COPY")
    await server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    in_use = await asyncpg.connect(_on_database(url, name))  # keeps others from dropping it
    await server.execute("SELECT pg_advisory_unlock($1)", LOCK)
    try:
        yield _on_database(url, name)
    finally:
        await in_use.close()
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()
        if not given_url:
            await asyncio.to_thread(embedded_postgres.stop, DATA_DIR)


async def _ensure_filled(server: asyncpg.Connection, url: str) -> None:
    fingerprint = _fingerprint()
    known = await server.fetchval(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", FILLED
    )
    if known == fingerprint:
        return
    print("Filling the database…", file=sys.stderr)
    await server.execute(f"DROP DATABASE IF EXISTS {FILLED} WITH (FORCE)")
    await server.execute(f"CREATE DATABASE {FILLED}")
    filled_url = _on_database(url, FILLED)
    migration = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "src", "migrate", env=server_environment(filled_url), cwd=DATA_DIR
    )
    if await migration.wait():
        raise RuntimeError("The migration failed")
    connection = await asyncpg.connect(filled_url)
    await data.fill(connection)
    await connection.close()
    await server.execute(f"COMMENT ON DATABASE {FILLED} IS '{fingerprint}'")


async def _drop_leftovers(server: asyncpg.Connection) -> None:
    """Drop the databases of runs that were killed."""
    rows = await server.fetch(
        "SELECT datname FROM pg_database WHERE starts_with(datname, $1)"
        " AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = pg_database.datname)",
        RUN,
    )
    for row in rows:
        await server.execute(f"DROP DATABASE {row['datname']}")


def _fingerprint() -> str:
    """A digest of what the filled database is made by."""
    migrations = sorted((PROJECT_ROOT / "alembic" / "versions").glob("*.py"))
    digest = hashlib.sha256()
    for path in [
        Path(data.__file__),
        PROJECT_ROOT / "src" / "posts" / "text" / "markdown.py",
        *migrations,
    ]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _on_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _start_embedded() -> str:
    url = embedded_postgres.start(DATA_DIR)
    postmaster = int((DATA_DIR / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    for process in [postmaster, *map(int, children)]:
        os.sched_setaffinity(process, OTHER_CORES)
    return url
