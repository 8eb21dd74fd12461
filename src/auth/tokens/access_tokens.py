"""Access tokens of this installation: signed by the key of now, verified by any that holds."""

from datetime import datetime
from typing import NamedTuple

from src.auth.exceptions import NoSigningKeyError
from src.auth.tokens import jwt
from src.auth.tokens.jwt import Claims
from src.auth.tokens.signing_keys import SigningKeys
from src.config import Settings


class VerifiedToken(NamedTuple):
    """What a token of ours says, and which key signed it."""

    claims: Claims
    kid: str


class AccessTokens:
    """Issues and verifies the access tokens of one issuer, for one audience."""

    def __init__(self, keys: SigningKeys, settings: Settings) -> None:
        self.keys = keys
        self.issuer = settings.public_url
        self.audience = settings.token_audience

    async def issue(self, claims: Claims, now: datetime) -> str:
        """The signed token.

        Raises:
            NoSigningKeyError: every key that could sign has ended.
        """
        key = (await self.keys.current(now)).signing
        if key is None:
            raise NoSigningKeyError
        return jwt.sign(claims, key)

    async def verify(self, token: str, now: datetime) -> VerifiedToken | None:
        """A token of ours that is valid now, else None, whatever the text is."""
        kid = jwt.kid_of(token)
        key = await self.keys.find(kid, now) if kid is not None else None
        if key is None:
            return None
        claims = jwt.verify(token, key, now, issuer=self.issuer, audience=self.audience)
        return VerifiedToken(claims, key.kid) if claims else None
