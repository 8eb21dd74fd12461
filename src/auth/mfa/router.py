"""The second factor over HTTP."""

from fastapi import APIRouter, Response

from src.auth.dependencies import AuthDep
from src.auth.mfa.schemas import (
    MfaProof,
    MfaRead,
    RecoveryCodesRead,
    TotpConfirm,
    TotpEnrol,
    TotpRead,
)
from src.auth.mfa.service import read_state
from src.dependencies import ReadsDep
from src.http.responses import DocumentResponse
from src.users.dependencies import AccountReader, AccountWriter

router = APIRouter(prefix="/users/me/mfa", tags=["account"])

NO_STORE = {"Cache-Control": "no-store"}


@router.get("", response_model=MfaRead)
async def get_mfa(me: AccountReader, reads: ReadsDep) -> Response:
    """Find out whether signing in takes a second factor. The recovery codes left are counted."""
    return DocumentResponse(await read_state(reads, me.user_id), headers=NO_STORE)


@router.post("/totp", response_model=TotpRead)
async def enrol_totp(
    me: AccountWriter,
    data: TotpEnrol,
    auth: AuthDep,
) -> Response:
    """Get a secret for an authenticator app, to be confirmed. One that was not is dead."""
    user = await auth.reauthentication.require(me.user_id, me.session_id, data.current_password)
    enrolment = await auth.second_factor.enrol(user)
    return DocumentResponse(enrolment._asdict(), headers=NO_STORE)


@router.post("/totp/confirm", response_model=RecoveryCodesRead)
async def confirm_totp(me: AccountWriter, data: TotpConfirm, auth: AuthDep) -> Response:
    """Turn two-factor authentication on with a code of the app. The other sessions end."""
    codes = await auth.second_factor.confirm(me.user_id, me.session_id, data.code)
    return DocumentResponse({"recovery_codes": codes}, headers=NO_STORE)


@router.delete("/totp", status_code=204, response_class=Response)
async def disable_totp(
    me: AccountWriter,
    data: MfaProof,
    auth: AuthDep,
) -> None:
    """Turn two-factor authentication off. The recovery codes are dead too."""
    user = await auth.reauthentication.require(me.user_id, me.session_id, data.current_password)
    await auth.second_factor.disable(user, data.code)


@router.post("/recovery-codes", response_model=RecoveryCodesRead)
async def replace_recovery_codes(
    me: AccountWriter,
    data: MfaProof,
    auth: AuthDep,
) -> Response:
    """Get new recovery codes. The old ones are dead."""
    user = await auth.reauthentication.require(me.user_id, me.session_id, data.current_password)
    codes = await auth.second_factor.replace_recovery_codes(user, data.code)
    return DocumentResponse({"recovery_codes": codes}, headers=NO_STORE)
