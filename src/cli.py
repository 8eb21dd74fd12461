"""The command line: `python -m src COMMAND`."""

import argparse
import asyncio
import errno
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from logging.config import fileConfig

import orjson
import uvicorn
from alembic import command
from alembic.config import Config
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import DBAPIError

from src.addresses.localhost import bind
from src.administration.commands import describe_create_admin
from src.auth import commands
from src.clock import Clock
from src.config import PROJECT_ROOT, Settings
from src.database import open_database
from src.exceptions import AppError, DatabaseRefusedError
from src.http.protocol.connection import MAX_CONNECTIONS, RECEIVED_BYTES, HttpProtocol
from src.jobs.tasks import JobContext
from src.jobs.worker import Worker
from src.mail.gateway import Mailer
from src.main import SCHEDULES, TASKS, create_app

LOGGING_CONFIG = PROJECT_ROOT / "logging.ini"
GRACEFUL_SECONDS = 20
# Longer than proxies keep an idle connection, mostly 60 s: none finds it closed under its request.
KEEP_ALIVE_SECONDS = 75
BODIES_AT_ONCE = 8  # of the largest size, for which there is memory at least
OWN_DESCRIPTORS = 100  # files and connections of a server beside its clients and the database


class Server(uvicorn.Server):
    """uvicorn's, which says where Plaza runs once it listens."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets:
            self._log_started_message(sockets)
        if self._settings.environment == "local":
            url = self._settings.public_url
            print(
                f"Plaza runs at {url}\n"
                f"  API documentation  {url}/docs\n"
                f"  local mailbox      {url}/dev/mailbox",
                file=sys.stderr,
            )


def serve() -> None:
    """Migrate a local database, then serve until a signal ends it."""
    settings = Settings()
    with ExitStack() as bound:
        _serve(settings, [bound.enter_context(one) for one in _bind(settings)])


def _serve(settings: Settings, sockets: list[socket.socket]) -> None:
    if settings.environment == "local":
        migrate()
    elif settings.database_url:
        asyncio.run(_require_accepting_database(settings))
    HttpProtocol.max_connections = _room_for_clients(settings)
    HttpProtocol.received.limit = max(RECEIVED_BYTES, BODIES_AT_ONCE * settings.max_body_bytes)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http="src.http.protocol.connection:HttpProtocol",
        ws="none",
        log_config=str(LOGGING_CONFIG),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    with suppress(KeyboardInterrupt):
        Server(config, settings).run(sockets)


def _bind(settings: Settings) -> list[socket.socket]:
    """Take the port before anything is started; uvicorn listens last.

    Raises:
        RuntimeError: the server could not listen.
    """
    try:
        return bind(settings.host, settings.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {settings.port} of {settings.host} is taken: set PORT to a free one"
            raise RuntimeError(message) from None
        message = f"HOST {settings.host} with PORT {settings.port}: {error.strerror}"
        raise RuntimeError(message) from None
    except UnicodeError:
        raise RuntimeError(f"HOST {settings.host} is no name of a machine") from None


async def _require_accepting_database(settings: Settings) -> None:
    async with open_database(settings) as database:
        await database.require_accepting()


def _room_for_clients(settings: Settings) -> int:
    """How many connections of clients the process has descriptors for, up to MAX_CONNECTIONS."""
    own = OWN_DESCRIPTORS + 2 * settings.database_pool_size + settings.read_pool_size
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < own + MAX_CONNECTIONS:
        soft = min(own + MAX_CONNECTIONS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(max(soft - own, soft // 2), MAX_CONNECTIONS)


def worker() -> None:
    """Run background jobs alone, for a server with WORKER_IN_SERVER=false."""
    fileConfig(LOGGING_CONFIG, disable_existing_loggers=False)
    asyncio.run(_work(Settings()))


async def _work(settings: Settings) -> None:
    async with open_database(settings) as database:
        await database.require_accepting()
        running = Worker(
            TASKS, SCHEDULES, JobContext(settings, database, Mailer(settings), Clock())
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.stop)
        await running.run()


def migrate() -> None:
    """Bring the database's schema to this version."""
    command.upgrade(Config(PROJECT_ROOT / "alembic.ini"), "head")


def openapi() -> None:
    """Print the OpenAPI document."""
    document = create_app(Settings(environment="test")).openapi()
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


COMMANDS = {"serve": serve, "worker": worker, "migrate": migrate, "openapi": openapi}
# Those of features: each describes its arguments, and sets what runs with them as `run`.
FEATURE_COMMANDS = {
    "create-admin": describe_create_admin,
    "keys": commands.describe_keys,
    "clients": commands.describe_clients,
}


def main() -> None:
    """Run the command named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m src")
    choices = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        choices.add_parser(name, help=function.__doc__).set_defaults(run=function)
    for name, describe in FEATURE_COMMANDS.items():
        describe(choices.add_parser(name, help=describe.__doc__))
    arguments = vars(parser.parse_args())
    run = arguments.pop("run")
    try:
        if run in COMMANDS.values():
            run()
        elif told := asyncio.run(_in_transaction(run, arguments)):
            print(told)
    except ValidationError as error:
        reasons = "\n".join(_reason(item) for item in error.errors(include_url=False))
        parser.exit(2, f"The settings are not right:\n{reasons}\n")
    except UnicodeDecodeError:
        parser.exit(2, "The settings are not right:\n  .env is not UTF-8\n")
    except DatabaseRefusedError as error:
        parser.exit(2, f"The settings are not right:\n  {error}\n")
    except (RuntimeError, OSError, AppError) as error:
        parser.exit(1, f"{str(error) or type(error).__name__}\n")
    except DBAPIError as error:
        parser.exit(1, f"The database refused: {error.orig}\n")


async def _in_transaction(
    run: Callable[..., Awaitable[str]], arguments: Mapping[str, object]
) -> str:
    """What a feature's command has to say, once its changes are committed."""
    settings = Settings()
    async with open_database(settings) as database, database.independent_transaction() as session:
        return await run(session, settings, Clock(), **arguments)


def _reason(item: ErrorDetails) -> str:
    name = ".".join(str(part).upper() for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    return f"  {name}: {message}" if name else f"  {message}"
