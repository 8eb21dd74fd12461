"""The form of personal access tokens: a prefix, the id of the row, and 32 random bytes.

Scanners of leaked secrets go by the prefix.
"""

import base64
import re
import secrets
from uuid import UUID

PREFIX = "plaza_pat_"
_SECRET_BYTES = 32
_FORM = re.compile(rf"{PREFIX}([A-Za-z0-9_-]{{64}})")


def new_token(row_id: UUID) -> str:
    """A token for a row. What is to be stored of it is the digest of its whole text."""
    raw = row_id.bytes + secrets.token_bytes(_SECRET_BYTES)
    return PREFIX + base64.urlsafe_b64encode(raw).decode()


def row_id_of(token: str) -> UUID | None:
    """Which row to compare the token with, or None when the text has not the form of one."""
    found = _FORM.fullmatch(token)
    return UUID(bytes=base64.urlsafe_b64decode(found[1])[:16]) if found else None
