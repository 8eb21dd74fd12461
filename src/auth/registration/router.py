"""Registering, confirming and changing an address over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from src.access.principals import OptionalPrincipal
from src.auth.clients.service import PUBLIC_CLIENT
from src.auth.dependencies import AuthDep
from src.auth.registration.schemas import (
    ConfirmationSent,
    EmailChange,
    EmailConfirm,
    EmailResend,
    RegistrationCreate,
    RegistrationRead,
)
from src.auth.schemas import SessionTokenRead
from src.auth.sign_in.devices import get_device
from src.dependencies import SettingsDep
from src.http.responses import NOT_KEPT, DocumentResponse
from src.limits.rate_limits import MAY_SEND_MAIL
from src.locales import preferred_locale
from src.users.dependencies import AccountWriter

router = APIRouter()

AcceptLanguage = Annotated[str, Header()]


@router.post("/auth/register", tags=["auth"], status_code=202, dependencies=[MAY_SEND_MAIL])
async def register(
    response: Response,
    data: RegistrationCreate,
    auth: AuthDep,
    accept_language: AcceptLanguage = "en",
) -> RegistrationRead:
    """Register an address. The answer is the same whether or not it is known."""
    response.headers["Cache-Control"] = "no-store"
    secret = await auth.registrations.register(data, preferred_locale(accept_language))
    return RegistrationRead(registration_secret=secret)


@router.post(
    "/auth/email/confirm",
    tags=["auth"],
    status_code=204,
    response_class=Response,
    responses={200: {"model": SessionTokenRead, "description": "The same, with sign_in"}},
)
async def confirm_email(
    request: Request,
    data: EmailConfirm,
    caller: OptionalPrincipal,
    auth: AuthDep,
    settings: SettingsDep,
) -> Response:
    """Confirm the address with the mailed token and a proof that the account is yours.

    For a registration that is its secret or password; for a change of address the account's
    password, or an access token of one of its sessions with `profile:write`.

    With `sign_in`, a registration's proof signs in as well: 200 with tokens and the account. It
    stays 204 after a change of address, and for an account with a second factor.
    """
    user_id = await auth.confirmations.confirm(data, caller)
    if data.sign_in and user_id:
        device = await get_device(request, settings)
        signed_in = await auth.sign_in.with_confirmation(user_id, PUBLIC_CLIENT, device.tokens)
        if signed_in:
            document = signed_in.tokens.model_dump() | {"user": signed_in.account}
            remembered = device.remember(signed_in.device_token)
            return DocumentResponse(document, headers=NOT_KEPT | remembered)
    return Response(status_code=204)


@router.post("/auth/email/resend", tags=["auth"], status_code=202, dependencies=[MAY_SEND_MAIL])
async def resend_confirmation(
    data: EmailResend,
    auth: AuthDep,
    accept_language: AcceptLanguage = "en",
) -> ConfirmationSent:
    """Mail a new confirmation link. Older ones are dead; the same for unknown accounts.

    An account that is confirmed already is told that by mail.
    """
    await auth.registrations.resend(data.name, preferred_locale(accept_language))
    return ConfirmationSent()


@router.post("/users/me/email", tags=["account"], status_code=202, dependencies=[MAY_SEND_MAIL])
async def change_email(caller: AccountWriter, data: EmailChange, auth: AuthDep) -> ConfirmationSent:
    """Change the address: a link is mailed to the new one, which confirms it.

    The old address is told. The answer is the same whether or not somebody has the new one.
    """
    await auth.email_changes.request(caller, data.new_email, data.current_password)
    return ConfirmationSent()
