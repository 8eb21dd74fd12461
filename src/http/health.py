"""Health: whether the process is alive, and whether it is ready to serve."""

from functools import cache
from typing import Literal

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi import APIRouter
from sqlalchemy import Select, Text, column, select, table

from src.config import PROJECT_ROOT
from src.dependencies import ReadsDep
from src.exceptions import AppError
from src.http.responses import DocumentResponse
from src.schemas import Output
from src.sql.statements import Query

router = APIRouter(prefix="/health", tags=["health"])


@Query
def _applied_revision() -> Select[str]:
    return select(column("version_num", Text)).select_from(table("alembic_version"))


class Health(Output):
    """The process answers."""

    status: Literal["ok"]


class NotMigratedError(AppError):
    """The database's schema is not the one this code was written for."""

    status = 503
    code = "not_migrated"
    title = "The database is not migrated to this version"


@cache
def _older_revisions() -> frozenset[str]:
    """The migrations in alembic/versions that others follow."""
    scripts = ScriptDirectory.from_config(Config(PROJECT_ROOT / "alembic.ini"))
    return frozenset(script.revision for script in scripts.walk_revisions() if not script.is_head)


@router.get("/live", response_model=Health)
async def check_liveness() -> DocumentResponse:
    """Find out whether the process answers. Nothing else is looked at."""
    return DocumentResponse({"status": "ok"})


@router.get("/ready", response_model=Health)
async def check_readiness(reads: ReadsDep) -> DocumentResponse:
    """Find out whether the database answers and is migrated.

    A revision that this code does not know is a newer release's, which older processes can serve.
    """
    try:
        applied = await _applied_revision.first(reads)
    except asyncpg.UndefinedTableError:
        raise NotMigratedError from None
    if applied is None or applied[0] in _older_revisions():
        raise NotMigratedError
    return DocumentResponse({"status": "ok"})
