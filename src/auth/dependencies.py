"""Dependencies of accounts."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from src.auth.authenticator import SessionAuthenticator
from src.auth.confirmation import ConfirmationService
from src.auth.hashing import PasswordHasher
from src.auth.jwt import AccessTokens
from src.auth.opaque_tokens import OpaqueTokens
from src.auth.registration import RegistrationService
from src.auth.sessions import SessionService
from src.auth.tasks import email_link_tokens
from src.clock import Clock
from src.config import Settings
from src.database import Database, DatabaseDep, ReadsDep, SessionDep
from src.dependencies import ClockDep, SettingsDep

REFRESH_PURPOSE = "refresh-token"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What makes and verifies credentials; one a process."""

    hasher: PasswordHasher
    access_tokens: AccessTokens
    refresh_tokens: OpaqueTokens
    email_links: OpaqueTokens
    authenticator: SessionAuthenticator

    @classmethod
    def create(cls, settings: Settings, database: Database, clock: Clock) -> "Credentials":
        """Read the keys and start the hashing threads."""
        access_tokens = AccessTokens(
            settings.jwt_private_key.get_secret_value(), settings.public_url
        )
        return cls(
            hasher=PasswordHasher(settings),
            access_tokens=access_tokens,
            refresh_tokens=OpaqueTokens(settings.secret_key.get_secret_value(), REFRESH_PURPOSE),
            email_links=email_link_tokens(settings),
            authenticator=SessionAuthenticator(access_tokens, database, clock),
        )


async def get_credentials(request: Request) -> Credentials:
    """The application's credentials."""
    credentials: Credentials = request.app.state.credentials
    return credentials


CredentialsDep = Annotated[Credentials, Depends(get_credentials)]


async def get_registration_service(
    session: SessionDep,
    database: DatabaseDep,
    credentials: CredentialsDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> RegistrationService:
    """The registration service on the request's session."""
    return RegistrationService(session, database, credentials.hasher, settings, clock)


async def get_confirmation_service(
    session: SessionDep, reads: ReadsDep, credentials: CredentialsDep, clock: ClockDep
) -> ConfirmationService:
    """The confirmation service on the request's session."""
    return ConfirmationService(session, reads, credentials.hasher, credentials.email_links, clock)


async def get_session_service(
    session: SessionDep,
    database: DatabaseDep,
    credentials: CredentialsDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> SessionService:
    """The session service on the request's session."""
    return SessionService(
        session,
        database,
        credentials.hasher,
        credentials.access_tokens,
        credentials.refresh_tokens,
        settings,
        clock,
    )


ConfirmationServiceDep = Annotated[ConfirmationService, Depends(get_confirmation_service)]
RegistrationServiceDep = Annotated[RegistrationService, Depends(get_registration_service)]
SessionServiceDep = Annotated[SessionService, Depends(get_session_service)]
