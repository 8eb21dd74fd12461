"""Slugs: the readable part of a post's address."""

import secrets
from unicodedata import normalize

from src.validation.text import ascii_words

MAX_STEM_LENGTH = 80


def new_slug(title: str) -> str:
    """A slug of the title's letters and digits in ASCII, with a random end: no two are alike.

    It stays when the title changes, so links keep working.
    """
    stem = "-".join(ascii_words(title))[:MAX_STEM_LENGTH].strip("-") or "post"
    return f"{stem}-{secrets.token_hex(4)}"


def slug_to_find(written: str) -> str:
    """The slug as it would be stored: older ones have letters of every script."""
    return normalize("NFC", written.lower())
