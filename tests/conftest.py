"""A real PostgreSQL for every test: a migrated, empty database that nobody else uses meanwhile."""

import asyncio
import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
import fastapi.routing
import httpx
import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.datastructures import State

from src.config import PROJECT_ROOT, Settings
from src.database import Database
from src.jobs.worker import Worker
from src.mail.mailbox import Mailbox, StoredMail
from src.main import SCHEDULES, TASKS, create_app
from src.sql import embedded_postgres
from tests.databases import Databases, on_database
from tests.support import Account, Accounts, FrozenClock, Inbox, job_context, require_declared

# How the test processes learn what the first one made.
SERVER_URL, TEMPLATE = "PLAZA_TEST_SERVER_URL", "PLAZA_TEST_TEMPLATE"
FAST_AND_FORGETFUL = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum", "jit")
MEMORY = Path("/dev/shm")  # noqa: S108 - with a folder of our own in it
MEMORY_NEEDED = 2 * 1024**3


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


def pytest_xdist_auto_num_workers() -> int:
    """Some wait for other processes: half as many again as there are cores keep these busy."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_configure(config: pytest.Config) -> None:
    """Start the server and make the template once, before test processes are started."""
    # What somebody ignores who starts tests in the background would be ignored in our processes.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
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


def once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which remembers its results."""
    remembered = cache(function)

    def call(**arguments: Any) -> Any:
        known = {name: tuple(x) if isinstance(x, list) else x for name, x in arguments.items()}
        try:
            return remembered(**known)
        except TypeError:  # no hash, as scopes in a list
            return function(**arguments)

    return call


@pytest.fixture(scope="session", autouse=True)
def _garbage() -> Iterator[None]:
    """Let the applications of tests leave the garbage collector as it is.

    Each would freeze the garbage of the earlier ones with itself, which then nobody collects.
    """
    gc.collect()
    gc.freeze()  # modules and tests live as long as the process
    with pytest.MonkeyPatch.context() as patch:
        for name in ("freeze", "unfreeze", "set_threshold"):
            patch.setattr(f"src.main.gc.{name}", lambda *_: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _remembered() -> Iterator[None]:
    """Find out once in a process what every application and connection of a test asks again.

    FastAPI reads the signatures of all endpoints for each application, asyncpg the types of arrays
    on each connection, and who waits for a mail all the others. The same arguments have the same
    answer, since PostgreSQL gives an identifier to one type only, and no mail ever changes.
    """
    read = Mailbox._read
    mails: dict[Path, StoredMail] = {}

    def read_once(mailbox: Mailbox, mail_id: str) -> StoredMail:
        path = mailbox._path(mail_id)
        path.stat()  # it may have been deleted
        if path not in mails:
            mails[path] = read(mailbox, mail_id)
        return mails[path]

    introspect = asyncpg.Connection._introspect_types  # type: ignore[attr-defined]
    types: dict[frozenset[int], Any] = {}

    async def introspect_once(connection: Any, oids: Any, *arguments: Any) -> Any:
        wanted = frozenset(oids)
        if wanted in types:
            return types[wanted], SimpleNamespace(name="nothing was prepared")
        found = await introspect(connection, oids, *arguments)
        types[wanted] = found[0]
        return found

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_build_dependant_with_parameterless_dependencies", "create_model_field"):
            patch.setattr(fastapi.routing, name, once(getattr(fastapi.routing, name)))
        patch.setattr(asyncpg.Connection, introspect.__name__, introspect_once)
        patch.setattr(Mailbox, "_read", read_once)
        yield


@pytest.fixture(scope="session")
def server_url() -> str:
    """A PostgreSQL server: DATABASE_URL, or an embedded one for the run."""
    return os.environ[SERVER_URL]


@pytest.fixture(scope="session")
async def databases(server_url: str) -> AsyncIterator[Databases]:
    """Databases for the tests of this process."""
    server = await asyncpg.connect(server_url)
    databases = Databases(server, server_url, os.environ[TEMPLATE])

    async def close(database: Database) -> None:
        await databases.keep(database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "open", databases.open)
        patch.setattr(Database, "close", close)
        yield databases
    await databases.drop()
    await server.close()


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own."""
    yield await databases.take()
    await databases.give_back()


@pytest.fixture(scope="session")
def read_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of tests, read once: that takes as long as many a test."""
    return Settings(
        _env_file=None,
        environment="test",
        data_dir=tmp_path_factory.mktemp("settings"),
        public_url="http://plaza.test",
        bcrypt_rounds=4,
        rate_limit_enabled=False,
    )


@pytest.fixture
def settings(read_settings: Settings, database_url: str, tmp_path: Path) -> Settings:
    """The settings of a test: cheap password hashes, the worker only where `inbox` asks for it."""
    own = {"database_url": SecretStr(database_url), "data_dir": tmp_path, "worker_in_server": False}
    return read_settings.model_copy(update=own)


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
def plain_settings(read_settings: Settings, tmp_path: Path) -> Settings:
    """Settings without a database."""
    return read_settings.model_copy(update={"data_dir": tmp_path, "max_body_bytes": 2048})


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


@pytest.fixture(scope="session")
def applications() -> list[tuple[Settings, FastAPI]]:
    """Those of this process's tests, with the settings that they are made of."""
    return []


@pytest.fixture
async def app(
    settings: Settings, clock: FrozenClock, applications: list[tuple[Settings, FastAPI]]
) -> AsyncIterator[FastAPI]:
    """The application, started.

    Tests with the same settings have one together, as long as none adds a route: FastAPI goes
    through them all for each, which takes as long as a short test. What limits have counted stays
    in it, so with them each test has its own.
    """
    made_of = settings.model_copy(update={"database_url": SecretStr(""), "data_dir": Path()})
    found = next((one for one in applications if one[0] == made_of), None)
    if found:
        applications.remove(found)
    app = found[1] if found else create_app(settings, clock)
    routes, state = [*app.routes], {**app.state._state}
    app.state.settings, app.state.clock = settings, clock
    async with app.router.lifespan_context(app):
        yield app
    app.state = State(state)
    if app.routes == routes and not settings.rate_limit_enabled:
        applications.append((made_of, app))


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
