"""A real PostgreSQL for every test: a database of its own, copied from a migrated template."""

import asyncio
import atexit
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from pydantic import SecretStr

from src.config import PROJECT_ROOT, Settings
from src.database import Database
from src.jobs.worker import Worker
from src.mail.mailbox import Mailbox
from src.main import SCHEDULES, TASKS, create_app
from src.sql import embedded_postgres
from tests.support import Account, Accounts, FrozenClock, Inbox, job_context, require_declared

# How the test processes learn what the first one made.
SERVER_URL, TEMPLATE = "PLAZA_TEST_SERVER_URL", "PLAZA_TEST_TEMPLATE"
FAST_AND_FORGETFUL = ("fsync", "full_page_writes", "synchronous_commit")
MEMORY = Path("/dev/shm")  # noqa: S108 - with a folder of our own in it
MEMORY_NEEDED = 2 * 1024**3


def on_database(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def execute(url: str, *statements: str) -> None:
    """Run statements outside a transaction."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def migrate(url: str) -> None:
    """Upgrade a database to head, as `python -m src migrate` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        patch.setenv("ENVIRONMENT", "test")
        command.upgrade(Config(PROJECT_ROOT / "alembic.ini"), "head")


def pytest_configure(config: pytest.Config) -> None:
    """Start the server and make the template once, before test processes are started."""
    if hasattr(config, "workerinput"):
        return
    url = os.environ.get("DATABASE_URL")
    if url is None:
        # A database is three hundred files: some disks take a quarter of a second to make them.
        in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED
        data_dir = Path(tempfile.mkdtemp(prefix="plaza-tests-", dir=MEMORY if in_memory else None))
        # Before the wheel's own function, so called after it: that leaves a lock's file.
        atexit.register(shutil.rmtree, data_dir, ignore_errors=True)
        url = embedded_postgres.start(data_dir)
        config.add_cleanup(partial(embedded_postgres.stop, data_dir))
        settings = [f"ALTER SYSTEM SET {name} = off" for name in FAST_AND_FORGETFUL]
        asyncio.run(execute(url, *settings, "SELECT pg_reload_conf()"))
    template = f"plaza_template_{uuid4().hex}"
    asyncio.run(execute(url, f"CREATE DATABASE {template}"))
    config.add_cleanup(lambda: asyncio.run(execute(url, f"DROP DATABASE {template} WITH (FORCE)")))
    migrate(on_database(url, template))
    os.environ[SERVER_URL], os.environ[TEMPLATE] = url, template


@pytest.fixture
def server_url() -> str:
    """A PostgreSQL server: DATABASE_URL, or an embedded one for the run."""
    return os.environ[SERVER_URL]


@pytest.fixture
async def database_url(server_url: str) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own."""
    name, template = f"plaza_test_{uuid4().hex}", os.environ[TEMPLATE]
    await execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield on_database(server_url, name)
    await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """The settings of a test: cheap password hashes, the worker only where `inbox` asks for it."""
    return Settings(
        _env_file=None,
        environment="test",
        database_url=SecretStr(database_url),
        data_dir=tmp_path,
        public_url="http://plaza.test",
        bcrypt_rounds=4,
        rate_limit_enabled=False,
        worker_in_server=False,
    )


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    """The environment of a command: nothing but the settings of a test."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONUTF8": "1",
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url,
        "ENVIRONMENT": "test",
        "BCRYPT_ROUNDS": "4",
    }


@pytest.fixture
def plain_settings(tmp_path: Path) -> Settings:
    """Settings without a database."""
    return Settings(
        _env_file=None,
        environment="test",
        data_dir=tmp_path,
        public_url="http://plaza.test",
        max_body_bytes=2048,
        rate_limit_enabled=False,
    )


@pytest.fixture
async def database(settings: Settings, database_url: str) -> AsyncIterator[Database]:
    """The test's database, open."""
    database = Database.open(database_url, settings)
    yield database
    await database.close()


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still until the test moves it."""
    return FrozenClock()


@pytest.fixture
async def app(settings: Settings, clock: FrozenClock) -> AsyncIterator[FastAPI]:
    """The application, started."""
    app = create_app(settings, clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the application, and keeps no cookies; paths are absolute, so `/api/v1/…`."""
    transport = httpx.ASGITransport(app)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://plaza.test",
        cookies=no_cookies,
        event_hooks={"response": [require_declared]},
    ) as client:
        yield client


@pytest.fixture
async def inbox(app: FastAPI) -> AsyncIterator[Inbox]:
    """Runs the background worker, and waits for mails to land in the local mailbox."""
    worker = Worker(TASKS, SCHEDULES, job_context(app))
    running = asyncio.create_task(worker.run())
    yield Inbox(Mailbox.of(app.state.settings))
    worker.stop()
    await running


@pytest.fixture
def accounts(app: FastAPI, client: httpx.AsyncClient) -> Accounts:
    """Makes confirmed users and signs them in."""
    return Accounts(app, client)


@pytest.fixture
async def ann(accounts: Accounts) -> Account:
    """A user who has signed in."""
    await accounts.add("ann")
    return await accounts.sign_in("ann")


@pytest.fixture
async def bob(accounts: Accounts) -> Account:
    """Another one."""
    await accounts.add("bob")
    return await accounts.sign_in("bob")
