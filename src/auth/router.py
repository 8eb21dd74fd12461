"""Accounts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, Security

from src.access.principals import (
    InsufficientScopeError,
    InvalidTokenError,
    NotAuthenticatedError,
    OptionalPrincipal,
    SessionPrincipal,
    session_principal_or_refusal,
)
from src.auth.clients.service import PUBLIC_CLIENT, authenticate_client
from src.auth.clients.token_request import FORM_SCHEMA, read_token_request
from src.auth.dependencies import (
    ConfirmationServiceDep,
    CredentialsDep,
    RegistrationServiceDep,
    SessionServiceDep,
    SignInServiceDep,
)
from src.auth.schemas import (
    EmailConfirm,
    EmailResend,
    RegistrationCreate,
    RegistrationRead,
    ResendRead,
    SessionFilter,
    SessionRead,
    SessionTokenRead,
    SignOut,
    TokenRead,
)
from src.auth.sessions.reads import list_sessions
from src.auth.sign_in.devices import DeviceDep, get_device
from src.database import ReadsDep
from src.dependencies import ClockDep, SettingsDep
from src.exceptions import AppError
from src.http.responses import NOT_KEPT, DocumentResponse
from src.locales import preferred_locale
from src.pagination import page_response
from src.schemas import Id, Page
from src.users.dependencies import AccountReader, AccountWriter

router = APIRouter(prefix="/auth", tags=["auth"])

AcceptLanguage = Annotated[str, Header()]


@router.post("/register", status_code=202)
async def register(
    response: Response,
    data: RegistrationCreate,
    registrations: RegistrationServiceDep,
    accept_language: AcceptLanguage = "en",
) -> RegistrationRead:
    """Register an address. The answer is the same whether or not it is known."""
    response.headers["Cache-Control"] = "no-store"
    secret = await registrations.register(data, preferred_locale(accept_language))
    return RegistrationRead(registration_secret=secret)


@router.post(
    "/email/confirm",
    status_code=204,
    response_class=Response,
    responses={200: {"model": SessionTokenRead, "description": "The same, with sign_in"}},
)
async def confirm_email(
    request: Request,
    data: EmailConfirm,
    caller: OptionalPrincipal,
    confirmations: ConfirmationServiceDep,
    sign_in: SignInServiceDep,
    settings: SettingsDep,
) -> Response:
    """Confirm the address with the mailed token and a proof that the account is yours.

    For a registration that is its secret or password; for a change of address the account's
    password, or an access token of one of its sessions with `profile:write`.

    With `sign_in`, a registration's proof signs in as well: 200 with tokens and the account. It
    stays 204 after a change of address, and for an account with a second factor.
    """
    user_id = await confirmations.confirm(data, caller)
    if data.sign_in and user_id:
        device = await get_device(request, settings)
        signed_in = await sign_in.with_confirmation(user_id, PUBLIC_CLIENT, device.tokens)
        if signed_in:
            document = signed_in.tokens.model_dump() | {"user": signed_in.account}
            remembered = device.remember(signed_in.device_token)
            return DocumentResponse(document, headers=NOT_KEPT | remembered)
    return Response(status_code=204)


@router.post("/email/resend", status_code=202)
async def resend_confirmation(
    data: EmailResend,
    registrations: RegistrationServiceDep,
    accept_language: AcceptLanguage = "en",
) -> ResendRead:
    """Mail a new confirmation link; older ones are dead. The same for unknown accounts.

    An account that is confirmed already is told that by mail.
    """
    await registrations.resend(data.name, preferred_locale(accept_language))
    return ResendRead()


@router.post("/token", response_model=TokenRead | SessionTokenRead, openapi_extra=FORM_SCHEMA)
async def issue_token(
    request: Request,
    reads: ReadsDep,
    device: DeviceDep,
    sign_in: SignInServiceDep,
    sessions: SessionServiceDep,
    credentials: CredentialsDep,
) -> Response:
    """Sign in with a password and a second factor, or refresh (RFC 6749, sections 4.3 and 6)."""
    form = await read_token_request(request)
    client = await authenticate_client(reads, form)
    headers, includes_user = NOT_KEPT, form.includes_user
    if form.grant_type == "refresh_token":
        tokens = await sessions.refresh(form.required("refresh_token"), form.scope, client)
        account = await credentials.account_of(tokens) if includes_user else None
    else:
        tokens, device_token, account = await sign_in.with_form(form, client, device.tokens)
        headers = headers | device.remember(device_token)
    document = tokens.model_dump()
    if includes_user:
        document["user"] = account
    return DocumentResponse(document, headers=headers)


@router.post("/logout", status_code=204, response_class=Response)
async def sign_out(
    caller: Annotated[
        SessionPrincipal | NotAuthenticatedError | InvalidTokenError,
        Security(session_principal_or_refusal),
    ],
    sessions: SessionServiceDep,
    data: SignOut | None = None,
) -> None:
    """End this session, the others, or all; their tokens are dead at the next request.

    Without an access token, or with one that has expired, a `refresh_token` ends its own session,
    whether it was used before or not; one that is not ours ends nothing. Then there is no other
    `scope`: refresh first.
    """
    data = data or SignOut()
    if isinstance(caller, AppError):
        if data.refresh_token is None or data.scope != "this":
            caller.detail = "Send the refresh_token to end its session, or refresh first"
            raise caller
        await sessions.sign_out_with(data.refresh_token, PUBLIC_CLIENT)
        return
    if data.scope != "this" and "profile:write" not in caller.scopes:
        raise InsufficientScopeError("profile:write")
    await sessions.sign_out(caller, data.scope)


@router.get("/sessions", response_model=Page[SessionRead])
async def read_sessions(
    request: Request,
    caller: AccountReader,
    which: Annotated[SessionFilter, Query()],
    reads: ReadsDep,
    clock: ClockDep,
) -> Response:
    """One's own sessions that have not ended, newest first."""
    rows = await list_sessions(reads, caller, which.cursor, clock.now())
    return page_response(request, rows, which.limit, "created_at")


@router.delete("/sessions/{session_id}", status_code=204, response_class=Response)
async def end_session(session_id: Id, caller: AccountWriter, sessions: SessionServiceDep) -> None:
    """End one of one's own sessions; its tokens are dead at the next request."""
    await sessions.sign_out_of(caller, session_id)
