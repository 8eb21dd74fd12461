"""What can be done with accounts in a request."""

from src.auth.flows import AuthContext
from src.auth.mfa.service import SecondFactor
from src.auth.oauth.revocation import RevocationService
from src.auth.passwords.reauthentication import Reauthentication
from src.auth.passwords.service import PasswordService
from src.auth.registration.confirmation import ConfirmationService
from src.auth.registration.email_change import EmailChangeService
from src.auth.registration.service import RegistrationService
from src.auth.schemas import TokenRead
from src.auth.sessions.service import SessionService
from src.auth.sign_in.service import SignInService
from src.sql.shapes import Document


class AuthService(AuthContext):
    """Gives out the services of accounts, all of them in the request's transaction."""

    @property
    def registrations(self) -> RegistrationService:
        """Registering an address."""
        return RegistrationService(self)

    @property
    def confirmations(self) -> ConfirmationService:
        """Confirming an address."""
        return ConfirmationService(self)

    @property
    def email_changes(self) -> EmailChangeService:
        """Changing the address."""
        return EmailChangeService(self)

    @property
    def sign_in(self) -> SignInService:
        """Opening a session."""
        return SignInService(self)

    @property
    def sessions(self) -> SessionService:
        """Refreshing and ending sessions."""
        return SessionService(self)

    @property
    def reauthentication(self) -> Reauthentication:
        """Asking for the password again."""
        return Reauthentication(self)

    @property
    def passwords(self) -> PasswordService:
        """Changing the password."""
        return PasswordService(self)

    @property
    def second_factor(self) -> SecondFactor:
        """Enrolling, checking and removing a second factor."""
        return SecondFactor(self)

    @property
    def revocations(self) -> RevocationService:
        """Ending a session by handing its token back."""
        return RevocationService(self)

    async def account_of(self, tokens: TokenRead) -> Document | None:
        """The account that an access token just issued is for, if its scopes allow to read it.

        Raises:
            InvalidTokenError: its session has ended meanwhile.
        """
        caller = await self.tools.authenticator.authenticate(tokens.access_token)
        return caller.user if "profile:read" in caller.scopes else None
