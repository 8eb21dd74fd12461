"""Dependencies about one's data."""

from typing import Annotated

from fastapi import Depends, Request

from src.account.deletion import DeletionService
from src.account.export import ExportService
from src.auth.dependencies import AuthDep


async def get_export_service(request: Request, auth: AuthDep) -> ExportService:
    """The export service, with the sections of every feature."""
    return ExportService(auth, request.app.state.personal_data)


async def get_deletion_service(auth: AuthDep) -> DeletionService:
    """The deletion service on the request's session."""
    return DeletionService(auth)


ExportServiceDep = Annotated[ExportService, Depends(get_export_service)]
DeletionServiceDep = Annotated[DeletionService, Depends(get_deletion_service)]
