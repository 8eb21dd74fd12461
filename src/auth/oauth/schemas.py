"""What OAuth clients and resource servers learn of tokens, keys and this server."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from src.schemas import Output, left_out

TokenKind = TypeAliasType("TokenKind", Literal["bearer", "refresh_token"])


class Introspection(Output):
    """What a token is worth (RFC 7662, section 2.2); a token that is not valid has `active` alone.

    `token_type` tells a refresh token, which opens nothing but the token endpoint, from an access
    token.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    active: Annotated[bool, Field(examples=[True])]
    scope: str = left_out()
    client_id: str = left_out()
    username: str = left_out()
    token_type: TokenKind = left_out()
    exp: int = left_out()
    iat: int = left_out()
    nbf: int = left_out()
    sub: str = left_out()
    aud: str = left_out()
    iss: str = left_out()
    jti: str = left_out()
    sid: Annotated[str, Field(description="The session")] = left_out()
    auth_time: Annotated[int, Field(description="When the user signed in")] = left_out()


class JsonWebKey(Output):
    """The public half of a key on P-256 (RFC 7517; RFC 7518, section 6.2)."""

    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    x: str
    y: str
    kid: str
    alg: Literal["ES256"] = "ES256"
    use: Literal["sig"] = "sig"


class JsonWebKeySet(Output):
    """The keys that access tokens may be signed with."""

    keys: list[JsonWebKey]


class AuthorizationServer(Output):
    """Where this server's endpoints are, and what they support (RFC 8414, section 2)."""

    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    introspection_endpoint: str
    jwks_uri: str
    service_documentation: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
    introspection_endpoint_auth_methods_supported: list[str]
    public_client_id: Annotated[
        str, Field(description="The client_id of front ends, which have no secret; not of the RFC")
    ]
