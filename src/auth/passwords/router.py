"""Changing a password over HTTP, with the old one or by a mailed link."""

from fastapi import APIRouter, Response

from src.auth.dependencies import AuthDep
from src.auth.passwords.schemas import (
    PasswordChange,
    PasswordReset,
    PasswordResetRequest,
    ResetSent,
)
from src.limits.rate_limits import MAY_SEND_MAIL
from src.users.dependencies import AccountWriter

router = APIRouter(tags=["account"])


@router.post("/users/me/password", status_code=204, response_class=Response)
async def change_password(caller: AccountWriter, data: PasswordChange, auth: AuthDep) -> None:
    """Set a new password. All other sessions end, and the owner is told by mail."""
    await auth.passwords.change(caller, data.current_password, data.new_password)


@router.post("/auth/password/forgot", status_code=202, dependencies=[MAY_SEND_MAIL])
async def request_password_reset(data: PasswordResetRequest, auth: AuthDep) -> ResetSent:
    """Mail a link that sets a new password. Older ones are dead; the same for unknown accounts."""
    await auth.passwords.forgot(data.name)
    return ResetSent()


@router.post("/auth/password/reset", status_code=204, response_class=Response)
async def reset_password(data: PasswordReset, auth: AuthDep) -> None:
    """Set a new password with the mailed token. All sessions and personal tokens end."""
    await auth.passwords.reset(data.token, data.new_password)
