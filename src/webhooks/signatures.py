"""Signatures of messages, as Standard Webhooks 1.0.0 says."""

import base64
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_LENGTH = 32


def new_secret() -> bytes:
    """The key of a new webhook."""
    return secrets.token_bytes(SECRET_LENGTH)


def secret_text(secret: bytes) -> str:
    """The form in which receivers get it."""
    return PREFIX + base64.b64encode(secret).decode()


def signed_headers(
    message_id: str, timestamp: int, payload: bytes, keys: Iterable[bytes]
) -> dict[str, str]:
    """The headers that say of whom and when a message is: a signature by each key."""
    signed = f"{message_id}.{timestamp}.".encode() + payload
    signatures = (base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
