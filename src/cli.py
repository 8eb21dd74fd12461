"""The command line: `python -m src COMMAND`."""

import argparse
import asyncio
import signal
import sys
from logging.config import fileConfig

import orjson
import uvicorn
from alembic import command
from alembic.config import Config
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import DBAPIError

from src.clock import Clock
from src.config import PROJECT_ROOT, Settings
from src.database import open_database
from src.exceptions import AppError
from src.http_protocol import BoundedHttpProtocol
from src.jobs import JobContext, Worker
from src.mail.gateway import Mailer
from src.main import SCHEDULES, TASKS, create_app

LOGGING_CONFIG = PROJECT_ROOT / "logging.ini"
GRACEFUL_SECONDS = 20


def serve() -> None:
    """Migrate a local database, then serve until a signal ends it."""
    settings = Settings()
    if settings.environment == "local":
        migrate()
        print(
            f"Plaza runs at {settings.public_url}\n"
            f"  API documentation  {settings.public_url}/docs\n"
            f"  local mailbox      {settings.public_url}/dev/mailbox",
            file=sys.stderr,
        )
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=BoundedHttpProtocol,
        log_config=str(LOGGING_CONFIG),
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )


def worker() -> None:
    """Run background jobs alone, for a server with WORKER_IN_SERVER=false."""
    fileConfig(LOGGING_CONFIG, disable_existing_loggers=False)
    asyncio.run(_work(Settings()))


async def _work(settings: Settings) -> None:
    async with open_database(settings) as database:
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


def main() -> None:
    """Run the command named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m src")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        commands.add_parser(name, help=function.__doc__)
    chosen = parser.parse_args().command
    try:
        COMMANDS[chosen]()
    except ValidationError as error:
        reasons = "\n".join(_reason(item) for item in error.errors(include_url=False))
        parser.exit(2, f"The settings are not right:\n{reasons}\n")
    except (RuntimeError, OSError, AppError) as error:
        parser.exit(1, f"{str(error) or type(error).__name__}\n")
    except DBAPIError as error:
        parser.exit(1, f"The database refused: {error.orig}\n")


def _reason(item: ErrorDetails) -> str:
    name = ".".join(str(part).upper() for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    return f"  {name}: {message}" if name else f"  {message}"
