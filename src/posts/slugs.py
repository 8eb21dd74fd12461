"""Slugs: the readable part of a post's address."""

import re
import secrets
import unicodedata

MAX_STEM_LENGTH = 80


def new_slug(title: str) -> str:
    """A slug of the title's letters and digits with a random end, so that no two are alike.

    It stays when the title changes, so links keep working.
    """
    plain = unicodedata.normalize("NFKC", title).lower()
    stem = re.sub(r"[\W_]+", "-", plain)[:MAX_STEM_LENGTH].strip("-")
    return f"{stem}-{secrets.token_hex(4)}" if stem else f"post-{secrets.token_hex(4)}"
