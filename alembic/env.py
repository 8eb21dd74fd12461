"""Alembic's environment: runs the migrations on the settings' database."""

import asyncio
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.schema import SchemaItem

from src.config import Settings
from src.database import open_database
from src.models import Base
from src.progress import waiting

LOCK_TIMEOUT = "5s"  # a migration that cannot get its lock gives up instead of blocking the rest
MIGRATION_LOCK = 0x706C617A61  # "plaza": two processes that migrate at once take turns

A_DAY = 24 * 60 * 60.0  # seconds: a statement of a migration may take long


def include_object(_: SchemaItem, name: str | None, kind: str, *__: object) -> bool:
    """Leave PgQueuer's tables to the migrations that copy its own schema."""
    return not (kind == "table" and (name or "").startswith("pgqueuer"))


def refuse_empty(_: Any, __: Any, scripts: list[Any]) -> None:
    """Write no migration that does nothing when one was to be found out."""
    if (
        getattr(context.config.cmd_opts, "autogenerate", False)
        and scripts[0].upgrade_ops.is_empty()
    ):
        raise CommandError("Nothing has changed. Is the model in src/models.py?")


def run(connection: Connection) -> None:
    """Run the migrations in one transaction."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=include_object,
        process_revision_directives=refuse_empty,
    )
    context.run_migrations()


async def run_online(settings: Settings) -> None:
    """Open the settings' database and run the migrations on it."""
    async with open_database(settings) as database, database.engine.begin() as connection:
        with waiting("Migrating the database"):
            await connection.run_sync(run)


asyncio.run(run_online(Settings().model_copy(update={"statement_timeout_seconds": A_DAY})))
