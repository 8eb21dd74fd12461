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
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from jose import jwk, jws
from pydantic import BaseModel, ConfigDict, Field

ALGORITHM = "ES256"
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


class AccessTokens:
    """Signs and verifies the access tokens of one issuer."""

    def __init__(self, private_key_pem: str, issuer: str) -> None:
        self.issuer = issuer
        key = load_pem_private_key(private_key_pem.encode(), password=None)
        public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._private_key = jwk.construct(private_key_pem, ALGORITHM)
        self._public_key = jwk.construct(public_pem.decode(), ALGORITHM)
        self._header = {"typ": TOKEN_TYPE, "kid": thumbprint(self._public_key.to_dict())}

    def issue(self, claims: Claims) -> str:
        """The signed token."""
        payload = claims.model_dump(mode="json", exclude_none=True)
        token: str = jws.sign(payload, self._private_key, self._header, ALGORITHM)
        return token

    def verify(self, token: str, now: datetime) -> Claims | None:
        """The claims of a token of ours that is valid now, else None, whatever the text is."""
        try:
            claims = self._verified_claims(token)
        except Exception:  # noqa: BLE001 - hostile text: whatever it provokes, it is no token
            return None
        latest_start = (now + CLOCK_SKEW).timestamp()
        begun = claims.iat <= latest_start and (claims.nbf or 0) <= latest_start
        return claims if begun and now.timestamp() < claims.exp else None

    def _verified_claims(self, token: str) -> Claims:
        if len(token) > MAX_TOKEN_LENGTH:
            raise ValueError("too long")
        header, _, _ = (_decode(segment) for segment in token.split("."))
        if orjson.loads(header) != {"alg": ALGORITHM, **self._header}:
            raise ValueError("not a header of ours")
        claims = Claims.model_validate_json(jws.verify(token, self._public_key, [ALGORITHM]))
        if claims.iss != self.issuer or claims.aud != self.issuer:
            raise ValueError("for somebody else")
        return claims


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
