"""E-mail addresses: one form for every way to write the same mailbox."""

import unicodedata

from email_validator import EmailNotValidError, validate_email
from pydantic_core import PydanticCustomError


def normalize_email(address: str) -> str:
    """The address in lower case and NFC, its domain as Unicode (IDNA 2008).

    Case, blanks around it, punycode and NFD make no difference.

    Raises:
        PydanticCustomError: it is not the address of a mailbox, or has a display name.
    """
    try:
        parts = validate_email(
            unicodedata.normalize("NFC", address.strip()),
            check_deliverability=False,
            test_environment=True,
        )
    except (EmailNotValidError, UnicodeError):
        raise PydanticCustomError("email_invalid", "Not a valid e-mail address") from None
    return f"{unicodedata.normalize('NFC', parts.local_part.lower())}@{parts.domain.lower()}"
