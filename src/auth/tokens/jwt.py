"""Access tokens: JWTs after RFC 9068, signed with ES256 (RFC 7518).

The only module that imports python-jose. The library is lenient (it ignores `typ`, lets missing
claims through and lets RecursionError escape), so it is used for signatures alone; header and
claims are checked here.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from jose import jwk, jws
from pydantic import BaseModel, ConfigDict, Field

ALGORITHM = "ES256"
CURVE = "secp256r1"  # which is P-256
TOKEN_TYPE = "at+jwt"
MAX_TOKEN_LENGTH = 4096
CLOCK_SKEW = timedelta(seconds=30)  # between machines that issue and verify


# Since the epoch, up to the year 9999 (RFC 7519, section 2).
Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]


class Claims(BaseModel):
    """The claims of an access token (RFC 9068, section 2.2)."""

    model_config = ConfigDict(frozen=True)

    iss: str
    aud: str
    sub: UUID
    client_id: str
    iat: Seconds
    exp: Seconds
    jti: UUID
    sid: UUID
    scope: str
    auth_time: Seconds
    nbf: Seconds | None = None


class Key:
    """A key on P-256, by its `kid`; with its public half alone it verifies and does not sign."""

    def __init__(self, public_key: PublicKeyTypes, private_pem: str | None = None) -> None:
        curve = getattr(public_key, "curve", None)
        if curve is None or curve.name != CURVE:
            raise ValueError("not a key on P-256")
        pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.public_pem = pem.decode()
        self.verifier = jwk.construct(self.public_pem, ALGORITHM)
        self.signer = jwk.construct(private_pem, ALGORITHM) if private_pem else None
        public = self.verifier.to_dict()
        self.kid = thumbprint(public)
        self.header = {"typ": TOKEN_TYPE, "kid": self.kid}
        # What others need to verify (RFC 7517).
        self.public_jwk = {name: str(public[name]) for name in ("kty", "crv", "x", "y")} | {
            "kid": self.kid,
            "alg": ALGORITHM,
            "use": "sig",
        }

    @classmethod
    def private(cls, pem: str) -> "Key":
        """A key pair.

        Raises:
            ValueError: not a private key on P-256, in PEM.
        """
        return cls(load_pem_private_key(pem.encode(), password=None).public_key(), pem)

    @classmethod
    def public(cls, pem: str) -> "Key":
        """The public half of a key.

        Raises:
            ValueError: not a public key on P-256, in PEM.
        """
        return cls(load_pem_public_key(pem.encode()))


def sign(claims: Claims, key: Key) -> str:
    """The token.

    Raises:
        ValueError: the private half of the key is missing.
    """
    if key.signer is None:
        raise ValueError("the key does not sign")
    payload = claims.model_dump(mode="json", exclude_none=True)
    token: str = jws.sign(payload, key.signer, key.header, ALGORITHM)
    return token


def kid_of(token: str) -> str | None:
    """Which key a token names, None for a text that is no token; nothing of it is verified."""
    try:
        kid = _header(token)["kid"]
    except Exception:  # noqa: BLE001 - hostile text: whatever it provokes, it is no token
        return None
    return kid if isinstance(kid, str) else None


def verify(token: str, key: Key, now: datetime, *, issuer: str, audience: str) -> Claims | None:
    """The claims of a token of ours that is valid now, else None, whatever the text is."""
    try:
        claims = _verified_claims(token, key)
    except Exception:  # noqa: BLE001 - hostile text: whatever it provokes, it is no token
        return None
    if claims.iss != issuer or claims.aud != audience:
        return None
    latest_start = (now + CLOCK_SKEW).timestamp()
    begun = claims.iat <= latest_start and (claims.nbf or 0) <= latest_start
    return claims if begun and now.timestamp() < claims.exp else None


def _verified_claims(token: str, key: Key) -> Claims:
    if _header(token) != {"alg": ALGORITHM, **key.header}:
        raise ValueError("not a header of ours")
    return Claims.model_validate_json(jws.verify(token, key.verifier, [ALGORITHM]))


def _header(token: str) -> dict[str, object]:
    if len(token) > MAX_TOKEN_LENGTH:
        raise ValueError("too long")
    header, _, _ = (_decode(segment) for segment in token.split("."))
    document: dict[str, object] = orjson.loads(header)
    return document


def thumbprint(key: dict[str, str]) -> str:
    """The SHA-256 thumbprint of an elliptic-curve JWK (RFC 7638), our `kid`."""
    canonical = orjson.dumps({name: key[name] for name in ("crv", "kty", "x", "y")})
    return _base64url(hashlib.sha256(canonical).digest())


def _decode(segment: str) -> bytes:
    """The bytes of a base64url text, which has to be the only text for them (RFC 4648, 3.5)."""
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if _base64url(data) != segment:
        raise ValueError("not canonical")
    return data


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
