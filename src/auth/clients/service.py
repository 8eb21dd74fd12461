"""OAuth clients: programs that authenticate themselves with an id and a secret.

Whoever names no client is `plaza`, the public client that every front end shares.
"""

import base64
import hmac
from typing import NamedTuple
from urllib.parse import unquote_plus

from sqlalchemy import Select, select

from src.auth.clients.token_request import PUBLIC_CLIENT_ID, TokenRequest
from src.auth.exceptions import (
    ClientNotAllowedError,
    InvalidBasicClientError,
    InvalidClientError,
    UnauthorizedClientError,
)
from src.auth.models import OAuthClient
from src.auth.tokens.opaque_tokens import secret_digest
from src.sql.pool import Pool
from src.sql.statements import Query


@Query
def _client_by_id(client_id: str) -> Select[bytes, str]:
    return select(OAuthClient.secret_hash, OAuthClient.scope).where(OAuthClient.id == client_id)


class Client(NamedTuple):
    """The client of a request; `scopes` are those it may have at most, None for any."""

    id: str
    scopes: frozenset[str] | None


PUBLIC_CLIENT = Client(PUBLIC_CLIENT_ID, None)


async def authenticate_client(reads: Pool, request: TokenRequest) -> Client:
    """The client that a request's header or form names (RFC 6749, section 2.3.1).

    Raises:
        InvalidClientError: it is not known, or its secret is wrong.
    """
    form = request.parameters
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if request.authorization is not None:
        client_id, secret = _basic_credentials(request.authorization)
    if client_id in {"", PUBLIC_CLIENT_ID} and not secret:
        return PUBLIC_CLIENT
    secret_hash, scope = await _client_by_id.first(reads, client_id=client_id) or (b"", "")
    if not hmac.compare_digest(secret_hash, secret_digest(secret)):
        raise _refusal(request)
    return Client(client_id, frozenset(scope.split()))


def require_scope(client: Client, scope: str, request: TokenRequest) -> None:
    """Let the client of a request, if it has a name of its own, do what it has this scope for.

    Raises:
        InvalidClientError: it is the public client, which anybody can be.
        ClientNotAllowedError: it lacks the scope.
    """
    if client.scopes is None:
        raise _refusal(request)
    if scope not in client.scopes:
        raise ClientNotAllowedError


def public_client(request: TokenRequest) -> Client:
    """The public client, where no other may come.

    Raises:
        UnauthorizedClientError: the request names another, or has a secret.
    """
    client_id = request.parameters.get("client_id", PUBLIC_CLIENT_ID)
    if client_id != PUBLIC_CLIENT_ID or "client_secret" in request.parameters:
        raise UnauthorizedClientError
    return PUBLIC_CLIENT


def _refusal(request: TokenRequest) -> InvalidClientError:
    return InvalidClientError() if request.authorization is None else InvalidBasicClientError()


def _basic_credentials(authorization: str) -> tuple[str, str]:
    """Id and secret, which a client encodes as in a form first: often `-` and `_` too."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        client_id, secret = (unquote_plus(part, errors="strict") for part in (client_id, secret))
    except ValueError:  # neither base64 nor UTF-8
        raise InvalidBasicClientError from None
    if scheme.lower() != "basic" or "\0" in client_id + secret:
        raise InvalidBasicClientError
    return client_id, secret
