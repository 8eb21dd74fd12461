"""The command line: `python -m src COMMAND`, or `bin/plaza COMMAND`, which a shell can complete."""

import asyncio
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING

import typer

from src.administration.commands import commands as administration
from src.auth.commands import clients, keys
from src.commands import ADMINISTRATION, notes

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from src.config import Settings

INTERRUPTED = 130  # as shells say it: 128, and the number of SIGINT

commands = typer.Typer()
# These, and those of features: a line each.
COMMANDS = [commands, administration, keys, clients]


@commands.command(
    epilog=notes(
        "python -m src serve",
        "PORT=8001 python -m src serve",
        "ENVIRONMENT=production python -m src serve   # says what it lacks",
        settings="HOST, PORT, PUBLIC_URL, DATABASE_URL, WORKER_IN_SERVER and most others",
    ),
)
def serve() -> None:
    """Migrate a local database, then serve until a signal ends it.

    Other environments migrate by a command of its own, before the new version
    serves. Without DATABASE_URL, an embedded PostgreSQL is started, with its data
    under DATA_DIR.
    """
    from src.config import Settings
    from src.http import server
    from src.main import create_app

    settings = Settings()
    with server.bound(settings) as sockets:
        if settings.environment == "local":
            migrate()
        elif settings.database_url:
            asyncio.run(_require_accepting_database(settings))
        server.run(create_app(settings), settings, sockets)


async def _require_accepting_database(settings: "Settings") -> None:
    from src.database import open_database

    async with open_database(settings) as database:
        await database.require_accepting()


@commands.command(
    epilog=notes("python -m src worker", settings="DATABASE_URL, SMTP_URL, MAIL_FROM"),
)
def worker() -> None:
    """Run background jobs alone, for a server with WORKER_IN_SERVER=false."""
    asyncio.run(_work())


async def _work() -> None:
    from logging.config import fileConfig

    from src.clock import Clock
    from src.config import LOGGING_CONFIG, Settings
    from src.database import open_database
    from src.jobs.tasks import JobContext
    from src.jobs.worker import Worker
    from src.mail.gateway import Mailer
    from src.main import SCHEDULES, TASKS

    fileConfig(LOGGING_CONFIG, disable_existing_loggers=False)
    settings = Settings()
    async with open_database(settings) as database:
        await database.require_accepting()
        running = Worker(
            TASKS, SCHEDULES, JobContext(settings, database, Mailer(settings), Clock())
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.stop)
        await running.run()


@commands.command(epilog=notes("python -m src migrate", settings="DATABASE_URL"))
def migrate() -> None:
    """Bring the database's schema to this version.

    Two that run at once take turns, and one that finds nothing to do changes
    nothing.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    from src.config import PROJECT_ROOT

    try:
        command.upgrade(Config(PROJECT_ROOT / "alembic.ini"), "head")
    except CommandError as error:  # as of a database that a newer version has migrated
        raise RuntimeError(f"The migrations do not fit the database: {error}") from None


@commands.command(
    epilog=notes(
        "python -m src openapi > openapi.json",
        settings="none, the document is the same in every environment",
    ),
)
def openapi() -> None:
    """Print the OpenAPI document."""
    import orjson

    from src.config import Settings
    from src.main import create_app

    document = create_app(Settings(environment="test")).openapi()
    # Line by line: of a large write, an unbuffered output may take a part and not say so.
    for line in orjson.dumps(document, option=orjson.OPT_INDENT_2).splitlines():
        typer.echo(line)


def command_line(*, completes: bool = False) -> typer.Typer:
    """Every command; `completes` adds the options that teach a shell the program's name."""
    line = typer.Typer(
        help="Serve Plaza and look after it.",
        epilog=notes(
            "python -m src serve",
            "python -m src create-admin ada@example.com",
            "python -m src clients add --help",
            "bin/plaza --install-completion   # the same program, completed with TAB",
            settings="in the environment and .env; .env.dist describes each",
        )
        + "\n\nExit status: 0 done, 1 refused or failed, 2 wrong arguments or settings,\n"
        "130 interrupted",
        add_completion=completes,
        pretty_exceptions_enable=False,  # they show the values of variables
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    for each in COMMANDS:
        line.add_typer(each, rich_help_panel=ADMINISTRATION)
    return line


def main(program: str = "python -m src") -> None:
    """Run the command that the arguments name; its exit status ends the process unless it is 0."""
    if isinstance(sys.stdout, TextIOWrapper):  # what it cannot show is no reason to fail
        sys.stdout.reconfigure(errors="backslashreplace")
    # A terminal that closes stops what runs in it, and what that has started.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        # A shell completes what is one word.
        line = command_line(completes=" " not in program)
        status: int | None = line(prog_name=program, standalone_mode=False)
        words = "Interrupted." if status == INTERRUPTED else ""
    except typer.TyperException as error:
        status, words = error.exit_code, _usage(error, program)
    except Exception as error:  # noqa: BLE001 - what is not known is raised again
        status, words = _refusal(error)
    if status:
        _say_last(_printable(words))
        sys.exit(status)


def _say_last(words: str) -> None:
    """What a stream does not take is not tried again at the exit, which has a status for that."""
    for text, err in ((words and f"{words}\n", True), ("", False)):
        try:
            typer.echo(text, err=err, nl=False)
        except OSError:
            with suppress(OSError):
                (sys.stderr if err else sys.stdout).close()


def _usage(error: typer.TyperException, program: str) -> str:
    context: typer.Context | None = getattr(error, "ctx", None)
    if context is None:
        return f"{program}: error: {error.format_message()}"
    path = context.command_path
    return (
        f"{context.get_usage()}\nTry '{path} --help' for help.\n"
        f"{path}: error: {error.format_message()}"
    )


def _refusal(error: Exception) -> tuple[int, str]:
    """Exit status and words for what the caller or the surroundings got wrong; all else goes on."""
    from pydantic import ValidationError
    from sqlalchemy.exc import DBAPIError

    from src.exceptions import AppError, DatabaseRefusedError

    match error:
        case ValidationError():
            reasons = "\n".join(_reason(item) for item in error.errors(include_url=False))
            return 2, f"The settings are not right:\n{reasons}"
        case UnicodeDecodeError():
            return 2, "The settings are not right:\n  .env is not UTF-8"
        case DatabaseRefusedError():
            return 2, f"The settings are not right:\n  {error}"
        case RuntimeError() | OSError() | AppError():
            return 1, str(error) or type(error).__name__
        case DBAPIError():
            return 1, f"The database refused: {error.orig}"
    raise error


def _reason(item: "ErrorDetails") -> str:
    name = ".".join(str(part).upper() for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    return f"  {name}: {message}" if name else f"  {message}"


def _printable(words: str) -> str:
    """What arguments brought along moves no cursor and is no half of a character."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in words)
