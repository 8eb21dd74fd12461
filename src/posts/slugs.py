"""Slugs: the readable part of a post's address."""

import re
import secrets
from unicodedata import normalize

from anyascii import anyascii
from regex import compile  # noqa: A004 - it knows the properties of Unicode, which re does not

MAX_STEM_LENGTH = 80
# Letters and digits with their marks. Signs and emoji have names in ASCII, but no sound.
_SPOKEN = compile(r"[\p{L}\p{N}\p{M}]+")
_NOT_IN_A_WORD = re.compile("[^a-z0-9]+")


def new_slug(title: str) -> str:
    """A slug of the title's letters and digits in ASCII, with a random end: no two are alike.

    It stays when the title changes, so links keep working.
    """
    words = (_in_ascii(word) for word in _SPOKEN.findall(normalize("NFKC", title)))
    stem = "-".join(filter(None, words))[:MAX_STEM_LENGTH].strip("-") or "post"
    return f"{stem}-{secrets.token_hex(4)}"


def slug_to_find(written: str) -> str:
    """The slug as it would be stored: older ones have letters of every script."""
    return normalize("NFC", written.lower())


def _in_ascii(word: str) -> str:
    return _NOT_IN_A_WORD.sub("", anyascii(word).lower())
