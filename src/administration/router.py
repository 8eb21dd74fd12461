"""Administration over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from src.administration.dependencies import (
    AdministrationServiceDep,
    AuditReader,
    UserId,
    UserManager,
)
from src.administration.reads import list_audit_log, list_users
from src.administration.schemas import (
    AuditEntryRead,
    AuditFilter,
    ManagedUserUpdate,
    UserFilter,
)
from src.dependencies import ReadsDep
from src.http.responses import IfMatchDep, versioned
from src.pagination import page_response
from src.schemas import Page
from src.users.schemas import ManagedUser
from src.users.service import MANAGED

router = APIRouter(tags=["administration"])


@router.get("/users", response_model=Page[ManagedUser])
async def list_users_(
    request: Request, which: Annotated[UserFilter, Query()], _: UserManager, reads: ReadsDep
) -> Response:
    """List users, newest first. Of several filters, all have to fit."""
    return page_response(request, which, await list_users(reads, which))


@router.patch("/users/{user:other}", response_model=ManagedUser)
async def update_user(
    request: Request,
    user_id: UserId,
    admin: UserManager,
    changes: ManagedUserUpdate,
    if_match: IfMatchDep,
    administration: AdministrationServiceDep,
) -> Response:
    """Disable or enable a user, or set their roles. The last administrator stays."""
    user = await administration.update(admin.user_id, user_id, changes, if_match)
    return versioned(request, MANAGED.of_entity(user))


@router.post("/users/{user:other}/sessions/end", status_code=204, response_class=Response)
async def end_user_sessions(
    user_id: UserId, admin: UserManager, administration: AdministrationServiceDep
) -> None:
    """End every session of a user. Their personal access tokens end as well."""
    await administration.end_sessions(admin.user_id, user_id)


@router.post("/users/{user:other}/password/force-reset", status_code=204, response_class=Response)
async def force_password_reset(
    user_id: UserId, admin: UserManager, administration: AdministrationServiceDep
) -> None:
    """Make a password useless and sign its owner out. They are mailed a link to set another."""
    await administration.force_password_reset(admin.user_id, user_id)


@router.delete("/users/{user:other}/mfa", status_code=204, response_class=Response)
async def remove_user_mfa(
    user_id: UserId, admin: UserManager, administration: AdministrationServiceDep
) -> None:
    """Remove the second factor of a user who has lost it. They are told by mail."""
    await administration.remove_second_factor(admin.user_id, user_id)


@router.get("/audit-log", response_model=Page[AuditEntryRead])
async def list_audit_entries(
    request: Request, which: Annotated[AuditFilter, Query()], _: AuditReader, reads: ReadsDep
) -> Response:
    """List who did what to whom, newest first. Of several filters, all have to fit."""
    return page_response(request, which, await list_audit_log(reads, which))
