"""E-mail addresses: one form for every way to write the same mailbox."""

import unicodedata

from email_validator import EmailNotValidError, validate_email
from pydantic_core import PydanticCustomError

from src.config import Settings
from src.exceptions import InvalidInputError


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


def require_mailable(email: str, settings: Settings, field: str) -> None:
    """Refuse an address that our mail cannot reach: whoever sends it does without SMTPUTF8.

    Raises:
        InvalidInputError: SMTPUTF8 is off, and the part before the @ is not ASCII.
    """
    if not settings.smtputf8 and not email.rpartition("@")[0].isascii():
        message = "Mail reaches only addresses with plain letters a-z before the @"
        raise InvalidInputError.at("body", field, msg=message, type="email_not_ascii")
