"""What makes and verifies credentials."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from src.access.encryption import SecretBox
from src.auth.guessing.backoff import Backoff
from src.auth.passwords.hashing import PasswordHasher
from src.auth.passwords.policy import PasswordPolicy
from src.auth.tokens.access_tokens import AccessTokens
from src.auth.tokens.authenticator import SessionAuthenticator
from src.auth.tokens.links import LinkTokens
from src.auth.tokens.opaque_tokens import OpaqueTokens
from src.auth.tokens.signing_keys import SigningKeys
from src.clock import Clock
from src.config import Settings
from src.database import Database
from src.sql.session import DatabaseSession

REFRESH_PURPOSE = "refresh-token"
DEVICE_PURPOSE = "device"
MFA_PURPOSE = "mfa"
TOTP_PURPOSE = "totp-secret"

Revocation: TypeAlias = Callable[[DatabaseSession, UUID], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AuthTools:
    """One a process. `revocations` end what else opens a user's account, once a password is reset.

    A feature above adds its own when the process starts.
    """

    settings: Settings
    database: Database
    clock: Clock
    hasher: PasswordHasher
    password_policy: PasswordPolicy
    backoff: Backoff
    access_tokens: AccessTokens
    authenticator: SessionAuthenticator
    refresh_tokens: OpaqueTokens
    links: LinkTokens
    device_tokens: OpaqueTokens
    mfa_tokens: OpaqueTokens
    totp_box: SecretBox
    revocations: list[Revocation] = field(default_factory=list)

    @classmethod
    def create(cls, settings: Settings, database: Database, clock: Clock) -> "AuthTools":
        """Read the keys and start the hashing threads."""
        access_tokens = AccessTokens(SigningKeys(settings, database), settings)
        secret_key = settings.secret_key.get_secret_value()
        return cls(
            settings=settings,
            database=database,
            clock=clock,
            hasher=PasswordHasher(settings),
            password_policy=PasswordPolicy(settings),
            backoff=Backoff(database, settings, clock),
            access_tokens=access_tokens,
            authenticator=SessionAuthenticator(access_tokens, database, clock),
            refresh_tokens=OpaqueTokens(secret_key, REFRESH_PURPOSE),
            links=LinkTokens(settings),
            device_tokens=OpaqueTokens(secret_key, DEVICE_PURPOSE),
            mfa_tokens=OpaqueTokens(secret_key, MFA_PURPOSE),
            totp_box=SecretBox(secret_key, TOTP_PURPOSE),
        )

    async def close(self) -> None:
        """End the threads and connections."""
        self.hasher.close()
        await self.password_policy.close()
