"""Dependencies about personal access tokens."""

from typing import Annotated

from fastapi import Depends

from src.auth.dependencies import ReauthenticationDep, SecurityEventsDep
from src.database import SessionDep
from src.dependencies import ClockDep, SettingsDep
from src.personal_tokens.service import PersonalTokenService


async def get_personal_token_service(
    session: SessionDep,
    reauthentication: ReauthenticationDep,
    events: SecurityEventsDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> PersonalTokenService:
    """The personal token service on the request's session."""
    return PersonalTokenService(session, reauthentication, events, settings, clock)


PersonalTokenServiceDep = Annotated[PersonalTokenService, Depends(get_personal_token_service)]
