"""Dependencies of accounts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from src.access.encryption import SecretBox
from src.auth.guessing.backoff import Backoff
from src.auth.mfa.service import SecondFactor
from src.auth.oauth.introspection import IntrospectionService
from src.auth.oauth.revocation import RevocationService
from src.auth.passwords.hashing import PasswordHasher
from src.auth.passwords.policy import PasswordPolicy
from src.auth.passwords.reauthentication import Reauthentication
from src.auth.registration.confirmation import ConfirmationService
from src.auth.registration.email_change import EmailChangeService
from src.auth.registration.service import RegistrationService
from src.auth.schemas import TokenRead
from src.auth.security_events import SecurityEvents
from src.auth.sessions.service import SessionService
from src.auth.sign_in.service import SignInService
from src.auth.tokens.access_tokens import AccessTokens
from src.auth.tokens.authenticator import SessionAuthenticator
from src.auth.tokens.links import LinkTokens
from src.auth.tokens.opaque_tokens import OpaqueTokens
from src.auth.tokens.signing_keys import SigningKeys
from src.clock import Clock
from src.config import Settings
from src.database import Database, DatabaseDep, ReadsDep, SessionDep
from src.dependencies import ClockDep, SettingsDep
from src.http.peer import PeerDep
from src.sql.shapes import Document

REFRESH_PURPOSE = "refresh-token"
DEVICE_PURPOSE = "device"
MFA_PURPOSE = "mfa"
TOTP_PURPOSE = "totp-secret"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What makes and verifies credentials; one a process."""

    hasher: PasswordHasher
    password_policy: PasswordPolicy
    access_tokens: AccessTokens
    refresh_tokens: OpaqueTokens
    links: LinkTokens
    device_tokens: OpaqueTokens
    mfa_tokens: OpaqueTokens
    totp_box: SecretBox
    authenticator: SessionAuthenticator

    @classmethod
    def create(cls, settings: Settings, database: Database, clock: Clock) -> "Credentials":
        """Read the keys and start the hashing threads."""
        access_tokens = AccessTokens(SigningKeys(settings, database), settings)
        secret_key = settings.secret_key.get_secret_value()
        return cls(
            hasher=PasswordHasher(settings),
            password_policy=PasswordPolicy(settings),
            access_tokens=access_tokens,
            refresh_tokens=OpaqueTokens(secret_key, REFRESH_PURPOSE),
            links=LinkTokens(settings),
            device_tokens=OpaqueTokens(secret_key, DEVICE_PURPOSE),
            mfa_tokens=OpaqueTokens(secret_key, MFA_PURPOSE),
            totp_box=SecretBox(secret_key, TOTP_PURPOSE),
            authenticator=SessionAuthenticator(access_tokens, database, clock),
        )

    async def account_of(self, tokens: TokenRead) -> Document | None:
        """The account that an access token just issued is for, if its scopes allow to read it.

        Raises:
            InvalidTokenError: its session has ended meanwhile.
        """
        caller = await self.authenticator.authenticate(tokens.access_token)
        return caller.user if "profile:read" in caller.scopes else None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make the application's credentials, by which it knows its callers."""
    state = app.state
    credentials = state.credentials = Credentials.create(
        state.settings, state.database, state.clock
    )
    state.authenticators.append(("", credentials.authenticator))
    try:
        yield
    finally:
        credentials.hasher.close()
        await credentials.password_policy.close()


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
    return RegistrationService(
        session, database, credentials.hasher, credentials.password_policy, settings, clock
    )


async def get_security_events(peer: PeerDep, clock: ClockDep) -> SecurityEvents:
    """The security events of the request."""
    return SecurityEvents(peer, clock)


SecurityEventsDep = Annotated[SecurityEvents, Depends(get_security_events)]


async def get_backoff(database: DatabaseDep, settings: SettingsDep, clock: ClockDep) -> Backoff:
    """The counts of wrong guesses."""
    return Backoff(database, settings, clock)


BackoffDep = Annotated[Backoff, Depends(get_backoff)]


async def get_reauthentication(
    session: SessionDep,
    database: DatabaseDep,
    credentials: CredentialsDep,
    backoff: BackoffDep,
    events: SecurityEventsDep,
    settings: SettingsDep,
) -> Reauthentication:
    """Asking for the password again, on the request's session."""
    return Reauthentication(session, database, credentials.hasher, backoff, events, settings)


ReauthenticationDep = Annotated[Reauthentication, Depends(get_reauthentication)]


async def get_email_change_service(
    session: SessionDep,
    reads: ReadsDep,
    reauthentication: ReauthenticationDep,
    events: SecurityEventsDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> EmailChangeService:
    """Changes of address on the request's session."""
    return EmailChangeService(session, reads, reauthentication, events, settings, clock)


EmailChangeServiceDep = Annotated[EmailChangeService, Depends(get_email_change_service)]


async def get_confirmation_service(
    session: SessionDep,
    database: DatabaseDep,
    credentials: CredentialsDep,
    changes: EmailChangeServiceDep,
    backoff: BackoffDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> ConfirmationService:
    """The confirmation service on the request's session."""
    return ConfirmationService(
        session,
        database,
        credentials.hasher,
        credentials.links,
        changes,
        backoff,
        settings,
        clock,
    )


async def get_second_factor(
    session: SessionDep,
    database: DatabaseDep,
    backoff: BackoffDep,
    credentials: CredentialsDep,
    events: SecurityEventsDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> SecondFactor:
    """Second factors on the request's session."""
    return SecondFactor(session, database, backoff, credentials.totp_box, events, settings, clock)


SecondFactorDep = Annotated[SecondFactor, Depends(get_second_factor)]


async def get_session_service(
    session: SessionDep,
    database: DatabaseDep,
    credentials: CredentialsDep,
    events: SecurityEventsDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> SessionService:
    """The session service on the request's session."""
    return SessionService(
        session,
        database,
        credentials.access_tokens,
        credentials.refresh_tokens,
        events,
        settings,
        clock,
    )


SessionServiceDep = Annotated[SessionService, Depends(get_session_service)]


async def get_sign_in_service(
    session: SessionDep,
    database: DatabaseDep,
    credentials: CredentialsDep,
    backoff: BackoffDep,
    second_factor: SecondFactorDep,
    sessions: SessionServiceDep,
    events: SecurityEventsDep,
    settings: SettingsDep,
    clock: ClockDep,
) -> SignInService:
    """The sign-in service on the request's session."""
    return SignInService(
        session,
        database,
        credentials.hasher,
        backoff,
        second_factor,
        sessions,
        credentials.device_tokens,
        credentials.mfa_tokens,
        events,
        settings,
        clock,
    )


ConfirmationServiceDep = Annotated[ConfirmationService, Depends(get_confirmation_service)]
RegistrationServiceDep = Annotated[RegistrationService, Depends(get_registration_service)]
SignInServiceDep = Annotated[SignInService, Depends(get_sign_in_service)]


async def get_revocation_service(
    session: SessionDep, credentials: CredentialsDep, events: SecurityEventsDep, clock: ClockDep
) -> RevocationService:
    """The revocation service on the request's session."""
    return RevocationService(
        session, credentials.access_tokens, credentials.refresh_tokens, events, clock
    )


RevocationServiceDep = Annotated[RevocationService, Depends(get_revocation_service)]


async def get_introspection_service(
    reads: ReadsDep, credentials: CredentialsDep, settings: SettingsDep, clock: ClockDep
) -> IntrospectionService:
    """The introspection service on the read pool."""
    return IntrospectionService(
        reads,
        credentials.access_tokens,
        credentials.authenticator,
        credentials.refresh_tokens,
        settings,
        clock,
    )


IntrospectionServiceDep = Annotated[IntrospectionService, Depends(get_introspection_service)]
