"""Which passwords an account may have."""

from src.auth.passwords import normalize_password, weakness
from src.exceptions import InvalidInputError


class PasswordPolicy:
    """Decides on new passwords."""

    async def require_good(self, password: str, email: str, field: str) -> None:
        """Refuse a password that is too weak for the account of an address.

        Raises:
            InvalidInputError: it is; `field` of the body has the reason.
        """
        if reason := weakness(normalize_password(password), email):
            raise InvalidInputError.at("body", field, msg=reason, type="password_weak")
