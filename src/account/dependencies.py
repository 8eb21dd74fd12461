"""Dependencies about one's data."""

from typing import Annotated

from fastapi import Depends, Request

from src.account.deletion import DeletionService
from src.account.export import ExportService
from src.auth.dependencies import ReauthenticationDep, SecurityEventsDep
from src.database import DatabaseDep, SessionDep
from src.dependencies import ClockDep


async def get_export_service(
    request: Request, database: DatabaseDep, events: SecurityEventsDep
) -> ExportService:
    """The export service, with the sections of every feature."""
    return ExportService(database, request.app.state.personal_data, events)


async def get_deletion_service(
    session: SessionDep,
    reauthentication: ReauthenticationDep,
    events: SecurityEventsDep,
    clock: ClockDep,
) -> DeletionService:
    """The deletion service on the request's session."""
    return DeletionService(session, reauthentication, events, clock)


ExportServiceDep = Annotated[ExportService, Depends(get_export_service)]
DeletionServiceDep = Annotated[DeletionService, Depends(get_deletion_service)]
