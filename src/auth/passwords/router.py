"""Password and address of one's own account over HTTP."""

from fastapi import APIRouter, Response

from src.auth.dependencies import EmailChangeServiceDep
from src.auth.passwords.dependencies import PasswordServiceDep
from src.auth.passwords.schemas import (
    EmailChange,
    EmailChangeRequested,
    PasswordChange,
    PasswordForgotten,
    PasswordReset,
    ResetRequested,
)
from src.users.dependencies import AccountWriter

router = APIRouter(tags=["account"])


@router.post("/users/me/password", status_code=204, response_class=Response)
async def change_password(
    caller: AccountWriter, data: PasswordChange, passwords: PasswordServiceDep
) -> None:
    """Set a new password. All other sessions end, and the owner is told by mail."""
    await passwords.change(caller, data.current_password, data.new_password)


@router.post("/auth/password/forgot", status_code=202)
async def forgot_password(data: PasswordForgotten, passwords: PasswordServiceDep) -> ResetRequested:
    """Mail a link that sets a new password; older ones are dead. The same for unknown accounts."""
    await passwords.forgot(data.name)
    return ResetRequested()


@router.post("/auth/password/reset", status_code=204, response_class=Response)
async def reset_password(data: PasswordReset, passwords: PasswordServiceDep) -> None:
    """Set a new password with the mailed token. All sessions and personal tokens end."""
    await passwords.reset(data.token, data.new_password)


@router.post("/users/me/email", status_code=202)
async def change_email(
    caller: AccountWriter, data: EmailChange, changes: EmailChangeServiceDep
) -> EmailChangeRequested:
    """Mail a link to the new address, which is the account's once it is confirmed there.

    The old address is told. The answer is the same whether or not somebody has the new one.
    """
    await changes.request(caller, data.new_email, data.current_password)
    return EmailChangeRequested()
