"""Ending and listing one's sessions over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Request, Response, Security

from src.access.principals import (
    InsufficientScopeError,
    InvalidTokenError,
    NotAuthenticatedError,
    SessionPrincipal,
    session_principal_or_refusal,
)
from src.auth.clients.service import PUBLIC_CLIENT
from src.auth.dependencies import AuthDep
from src.auth.sessions.reads import living_sessions
from src.auth.sessions.schemas import SessionRead, SignOut
from src.dependencies import ClockDep, ReadsDep
from src.exceptions import AppError
from src.pagination import PageDep, page_response
from src.schemas import Id, Page
from src.users.dependencies import AccountReader, AccountWriter

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/logout", status_code=204, response_class=Response)
async def sign_out(
    caller: Annotated[
        SessionPrincipal | NotAuthenticatedError | InvalidTokenError,
        Security(session_principal_or_refusal),
    ],
    auth: AuthDep,
    data: SignOut | None = None,
) -> None:
    """End this session, the others, or all. Their tokens are dead at the next request.

    Without an access token, or with one that has expired, a `refresh_token` ends its own session,
    whether it was used before or not; one that is not ours ends nothing. Then there is no other
    `scope`: refresh first.
    """
    data = data or SignOut()
    if isinstance(caller, AppError):
        if data.refresh_token is None or data.scope != "this":
            caller.detail = "Send the refresh_token to end its session, or refresh first"
            raise caller
        await auth.sessions.sign_out_with(data.refresh_token, PUBLIC_CLIENT)
        return
    if data.scope != "this" and "profile:write" not in caller.scopes:
        raise InsufficientScopeError("profile:write")
    await auth.sessions.sign_out(caller, data.scope)


@router.get("/sessions", response_model=Page[SessionRead])
async def list_sessions_(
    request: Request,
    caller: AccountReader,
    which: PageDep,
    reads: ReadsDep,
    clock: ClockDep,
) -> Response:
    """List your sessions that have not ended, newest first. Each is a sign-in on one device."""
    listed = await living_sessions.page(
        reads,
        which,
        user_id=caller.user_id,
        current_id=caller.session_id,
        now=clock.now(),
    )
    return page_response(request, which, listed)


@router.delete("/sessions/{session_id}", status_code=204, response_class=Response)
async def end_session(session_id: Id, caller: AccountWriter, auth: AuthDep) -> None:
    """End one of your sessions. Its tokens are dead at the next request."""
    await auth.sessions.sign_out_of(caller, session_id)
