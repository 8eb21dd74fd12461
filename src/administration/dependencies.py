"""Dependencies of administration."""

from typing import Annotated

from fastapi import Depends, Path, Security
from starlette.convertors import StringConvertor, register_url_convertor

from src.access.principals import Principal, current_principal
from src.administration.service import MANAGE, AdministrationService
from src.auth.dependencies import AuthDep
from src.schemas import Id


async def get_administration_service(auth: AuthDep) -> AdministrationService:
    """The administration service on the request's session."""
    return AdministrationService(auth)


class _Other(StringConvertor):
    """What comes after /users/ but `me`, whose routes are those of one's own account."""

    regex = "(?!me(?:/|$))[^/]+"


register_url_convertor("other", _Other())

AdministrationServiceDep = Annotated[AdministrationService, Depends(get_administration_service)]
UserManager = Annotated[Principal, Security(current_principal, scopes=[MANAGE])]
AuditReader = Annotated[Principal, Security(current_principal, scopes=["audit:read"])]
UserId = Annotated[Id, Path(alias="user", description="The id, not the username")]
