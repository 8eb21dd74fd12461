"""Slugs: the readable part of a post's address."""

import re
from unicodedata import normalize

from src.validation.text import ascii_words

MAX_STEM_LENGTH = 80
# What follows /posts/ in the address of something else.
_RESERVED = {"stream"}
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def slug_stem(text: str) -> str:
    """A title's letters and digits in ASCII; the slug itself, while no other post has it."""
    stem = "-".join(ascii_words(text))[:MAX_STEM_LENGTH].strip("-")
    if not stem or stem in _RESERVED or _ID.fullmatch(stem):
        return "-".join(filter(None, ("post", stem)))
    return stem


def numbered(stem: str, number: int) -> str:
    """The slug of the post that has this number among those of one stem; the first needs none."""
    return stem if number == 1 else f"{stem}-{number}"


def has_stem(slug: str, stem: str) -> bool:
    """Whether it is the plain slug, or one with a number."""
    return re.fullmatch(rf"{re.escape(stem)}(-[0-9]+)?", slug) is not None


def slug_to_find(written: str) -> str:
    """The slug as it would be stored: older ones have letters of every script."""
    return normalize("NFC", written.lower())
