"""Opaque tokens that are derived instead of stored.

A token is the id of a row and a counter, followed by an HMAC-SHA256 (RFC 2104) over both and the
row's salt. Whoever reads the database cannot make one without SECRET_KEY, whoever has SECRET_KEY
cannot without the row's salt, and no job or table holds one in clear.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from uuid import UUID

_BODY = struct.Struct(">16sI")
_MAC_LENGTH = 32
_TOKEN_LENGTH = 70  # base64url of body and MAC, without padding


@dataclass(frozen=True, slots=True)
class ParsedToken:
    """What a token claims; nothing of it is true before `OpaqueTokens.verify` says so."""

    row_id: UUID
    counter: int
    mac: bytes


class OpaqueTokens:
    """Issues and verifies the tokens of one purpose."""

    def __init__(self, secret_key: str, purpose: str) -> None:
        self._key = hmac.digest(secret_key.encode(), purpose.encode(), "sha256")

    def issue(self, row_id: UUID, counter: int = 0, salt: bytes = b"") -> str:
        """The token of a row at a counter: always the same text for the same arguments."""
        body = _BODY.pack(row_id.bytes, counter)
        return _encode(body + hmac.digest(self._key, body + salt, "sha256"))

    def verify(self, token: ParsedToken, salt: bytes = b"") -> bool:
        """Whether this token was issued here for its row and counter."""
        body = _BODY.pack(token.row_id.bytes, token.counter)
        return hmac.compare_digest(token.mac, hmac.digest(self._key, body + salt, "sha256"))


def parse(text: str) -> ParsedToken | None:
    """The parts of a token, or None when the text has not the form of one."""
    if len(text) != _TOKEN_LENGTH or not text.isascii():
        return None
    try:
        raw = base64.b64decode(text + "==", b"-_", validate=True)
    except binascii.Error:
        return None
    if _encode(raw) != text:  # spare bits make other texts of the same bytes (RFC 4648, 3.5)
        return None
    row_id, counter = _BODY.unpack_from(raw)
    return ParsedToken(UUID(bytes=row_id), counter, raw[-_MAC_LENGTH:])


def secret_digest(secret: str) -> bytes:
    """What is stored of a secret of ours, which is random and long: it needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
