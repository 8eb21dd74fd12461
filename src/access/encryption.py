"""Secrets at rest: authenticated encryption under a key derived from SECRET_KEY."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_LENGTH = 12


class SecretBox:
    """AES-256-GCM for the secrets of one purpose; the key comes from SECRET_KEY by HKDF (RFC 5869).

    `owner` says whose secret it is: a box opens for the same owner only, so that a row copied to
    another user's place is worth nothing.
    """

    def __init__(self, secret_key: str, purpose: str) -> None:
        derive = HKDF(SHA256(), length=32, salt=None, info=purpose.encode())
        self._cipher = AESGCM(derive.derive(secret_key.encode()))

    def seal(self, secret: bytes, owner: bytes) -> bytes:
        """The encrypted secret."""
        nonce = secrets.token_bytes(_NONCE_LENGTH)
        return nonce + self._cipher.encrypt(nonce, secret, owner)

    def open(self, sealed: bytes, owner: bytes) -> bytes:
        """The secret.

        Raises:
            ValueError: sealed for another owner or purpose, under another SECRET_KEY, or damaged.
        """
        nonce, encrypted = sealed[:_NONCE_LENGTH], sealed[_NONCE_LENGTH:]
        try:
            return self._cipher.decrypt(nonce, encrypted, owner)
        except InvalidTag:
            raise ValueError("cannot be opened with this SECRET_KEY") from None
