"""E-mail addresses: one form for every way to write the same mailbox."""

import re
import unicodedata
from contextlib import suppress

import idna
from email_validator import EmailNotValidError, validate_email

from src.validation.invalid_values import invalid
from src.validation.text import MAX_GROWTH

MAX_EMAIL_LENGTH = 254  # octets, of which 64 before the @ (RFC 5321, 4.5.3.1)
MAX_LOCAL_PART_LENGTH = 64
_PUNYCODE = re.compile("xn--[a-z0-9-]+")


def normalize_email(address: str, *, test_environment: bool) -> str:
    """The address in lower case and NFC, its domain as Unicode (IDNA 2008).

    Case, blanks around it, punycode and NFD make no difference. Domains of which RFC 6761 says that
    no mail gets there are refused, but .test in a test environment.

    Raises:
        ValueError: it is not the address of a mailbox, or has a display name.
    """
    if len(address) > MAX_EMAIL_LENGTH * MAX_GROWTH:
        raise invalid("email_invalid")
    try:
        parts = validate_email(
            unicodedata.normalize("NFC", address.strip()),
            check_deliverability=False,
            test_environment=test_environment,
        )
    except (EmailNotValidError, UnicodeError):
        raise invalid("email_invalid") from None
    local_part = unicodedata.normalize("NFC", parts.local_part.lower())
    # The library counts characters, and readers of a header decode encoded words (RFC 2047).
    if len(local_part.encode()) > MAX_LOCAL_PART_LENGTH or "=?" in local_part:
        raise invalid("email_invalid")
    return f"{local_part}@{parts.domain.lower()}"


def part_of_email(written: str) -> str:
    """A part of an address as it would be stored, for those who look for it."""
    part = unicodedata.normalize("NFC", written.lower())
    return _PUNYCODE.sub(lambda label: _decoded(label[0]), part)


def _decoded(label: str) -> str:
    with suppress(idna.IDNAError):  # the label may be cut off
        return idna.decode(label)
    return label
