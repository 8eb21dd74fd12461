"""Dependencies about users, for this and every feature above."""

from typing import Annotated

from fastapi import Depends, Security

from src.access.principals import Principal, SessionPrincipal, current_principal, session_principal
from src.dependencies import ClockDep, SessionDep, SettingsDep
from src.users.service import UserService


async def get_user_service(
    session: SessionDep, settings: SettingsDep, clock: ClockDep
) -> UserService:
    """The user service on the request's session."""
    return UserService(session, settings, clock)


UserServiceDep = Annotated[UserService, Depends(get_user_service)]
# The caller, whatever the token allows.
CurrentUser = Annotated[Principal, Security(current_principal)]
# The caller, if it is the token of a session: for what a personal access token must not do.
AccountReader = Annotated[SessionPrincipal, Security(session_principal, scopes=["profile:read"])]
# Both, since the answers to a change of one's account, refusals included, tell how it is.
AccountWriter = Annotated[
    SessionPrincipal, Security(session_principal, scopes=["profile:read", "profile:write"])
]
ProfileReader = Annotated[Principal, Security(current_principal, scopes=["profile:read"])]
ProfileWriter = Annotated[
    Principal, Security(current_principal, scopes=["profile:read", "profile:write"])
]
