"""Which passwords an account may have."""

from src.auth.passwords.breached import BreachedPasswords
from src.auth.passwords.rules import normalize_password, weakness
from src.config import Settings
from src.exceptions import InvalidInputError


class PasswordPolicy:
    """Decides on new passwords."""

    def __init__(self, settings: Settings) -> None:
        self._min_length = settings.password_min_length
        self._breached = BreachedPasswords(settings.breached_passwords_url)

    async def require_good(self, password: str, email: str, field: str) -> None:
        """Refuse a password that is too weak for the account of an address.

        It may take two seconds to ask the service of breached passwords: call it before the
        transaction's first statement, so that no connection is held meanwhile.

        Raises:
            InvalidInputError: it is; `field` of the body has the reason.
        """
        password = normalize_password(password)
        if weak := weakness(password, email, self._min_length):
            raise InvalidInputError.at("body", field, type=weak.type, **weak.parameters)
        if await self._breached.knows(password):
            raise InvalidInputError.at("body", field, type="password_breached")

    async def close(self) -> None:
        """Close what was opened."""
        await self._breached.close()
