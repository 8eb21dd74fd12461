"""Slugs: the readable part of a post's address."""

import secrets
import unicodedata

MAX_STEM_LENGTH = 80


def new_slug(title: str) -> str:
    """A slug of the title's letters and digits with a random end, so that no two are alike.

    It stays when the title changes, so links keep working.
    """
    plain = unicodedata.normalize("NFKC", title).lower()
    words = "".join(letter if _is_part_of_a_word(letter) else " " for letter in plain).split()
    stem = "-".join(words)[:MAX_STEM_LENGTH].strip("-")
    return f"{stem}-{secrets.token_hex(4)}" if stem else f"post-{secrets.token_hex(4)}"


def _is_part_of_a_word(letter: str) -> bool:
    """Letters and digits, and the marks that belong to letters in many scripts."""
    return unicodedata.category(letter)[0] in "LNM"
