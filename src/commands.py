"""What commands share. Each imports what it runs when it runs: help and completion are quick."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from src.clock import Clock
    from src.config import Settings
    from src.sql.session import DatabaseSession

ADMINISTRATION = "Administration"  # where help lists the groups of features

T = TypeVar("T")


def in_transaction(work: "Callable[[DatabaseSession, Settings, Clock], Awaitable[T]]") -> T:
    """What the work returns, once its changes are committed.

    Raises:
        pydantic.ValidationError: a setting is wrong or missing.
    """
    from src.clock import Clock
    from src.config import Settings
    from src.database import open_database

    async def run() -> T:
        settings = Settings()
        async with (
            open_database(settings) as database,
            database.independent_transaction() as session,
        ):
            return await work(session, settings, Clock())

    return asyncio.run(run())


def valid(kind: Any, text: str, otherwise: str) -> str:
    """The text as a pydantic type has it.

    Raises:
        typer.BadParameter: it is none; with what it should be.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter[str](kind).validate_python(text)
    except ValidationError:
        raise typer.BadParameter(otherwise) from None


def show(columns: Sequence[str], rows: Sequence[Sequence[str]], line: str) -> None:
    """A table on a terminal; for scripts `line` with the values of each row in its braces."""
    if sys.stdout is None or not sys.stdout.isatty():
        for row in rows:
            typer.echo(line.format(*row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True  # a key to copy
    for row in rows:
        table.add_row(*(Text(value, overflow="fold") for value in row))
    Console().print(table)


def notes(*examples: str, settings: str) -> str:
    """The end of a command's help: lines to copy, and the settings that it goes by."""
    return "\n".join(
        ["Examples:", *(f"  {example}" for example in examples), f"\nSettings: {settings}"]
    )
