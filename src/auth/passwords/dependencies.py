"""Dependencies of one's own account."""

from typing import Annotated

from fastapi import Depends

from src.auth.dependencies import (
    BackoffDep,
    CredentialsDep,
    ReauthenticationDep,
    SecurityEventsDep,
)
from src.auth.passwords.service import PasswordService
from src.database import DatabaseDep, SessionDep
from src.dependencies import ClockDep, SettingsDep


async def get_password_service(
    session: SessionDep,
    database: DatabaseDep,
    credentials: CredentialsDep,
    reauthentication: ReauthenticationDep,
    backoff: BackoffDep,
    events: SecurityEventsDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> PasswordService:
    """Changes of passwords on the request's session."""
    return PasswordService(
        session,
        database,
        credentials.hasher,
        credentials.password_policy,
        credentials.links,
        reauthentication,
        backoff,
        events,
        settings,
        clock,
    )


PasswordServiceDep = Annotated[PasswordService, Depends(get_password_service)]
