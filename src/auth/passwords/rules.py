"""Which passwords are good enough: long, and not a known one (NIST SP 800-63B, section 5.1.1.2)."""

import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

MIN_LENGTH = 8
MAX_LENGTH = 256


def normalize_password(password: str) -> str:
    """The password in NFC, so that every keyboard gives the same one (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password)


class Weakness(NamedTuple):
    """Why a password is refused: a type of src.validation.invalid_values, with its limit."""

    type: str
    parameters: dict[str, int]


def weakness(password: str, email: str | None, min_length: int = MIN_LENGTH) -> Weakness | None:
    """Why a normalised password is refused, or None."""
    if len(password) < min_length:
        return Weakness("password_too_short", {"min": min_length})
    if len(password) > MAX_LENGTH:
        return Weakness("password_too_long", {"max": MAX_LENGTH})
    plain = _plain(password)
    if email and plain in {email.casefold(), email.partition("@")[0].casefold()}:
        return Weakness("password_is_email", {})
    if not plain or plain in _common_passwords():
        return Weakness("password_too_common", {})
    return None


def _plain(password: str) -> str:
    """The password without what makes it look like another: case and white space."""
    return "".join(password.split()).casefold()


@cache
def _common_passwords() -> frozenset[str]:
    lines = (Path(__file__).parent / "common_passwords.txt").read_text().splitlines()
    return frozenset(_plain(line) for line in lines if not line.startswith("# "))
