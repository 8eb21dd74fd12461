"""What the tests of keys, clients and OAuth endpoints share."""

import base64
from typing import NamedTuple

import httpx
from fastapi import FastAPI

from src.auth.clients import registry
from src.auth.tokens import signing_keys
from src.config import Settings

REVOKE = "/api/v1/auth/revoke"
INTROSPECT = "/api/v1/auth/introspect"
JWKS = "/.well-known/jwks.json"
METADATA = "/.well-known/oauth-authorization-server"


class Credentials(NamedTuple):
    """A client's credentials."""

    client_id: str
    client_secret: str

    @property
    def form(self) -> dict[str, str]:
        """As parameters of a form."""
        return self._asdict()


async def add_client(app: FastAPI, *scopes: str) -> Credentials:
    """A new client, as the command line makes it."""
    state = app.state
    async with state.database.independent_transaction() as session:
        added = await registry.add_client(session, state.clock.now(), "Shop", scopes)
    return Credentials(*added)


async def rotate(
    app: FastAPI,
    *,
    at_once: bool = False,
    revoke_old: bool = False,
    settings: Settings | None = None,
) -> str:
    """A new signing key, as the command line makes it; its `kid`."""
    state = app.state
    async with state.database.independent_transaction() as session:
        return await signing_keys.rotate(
            session,
            settings or state.settings,
            state.clock.now(),
            at_once=at_once,
            revoke_old=revoke_old,
        )


async def published(client: httpx.AsyncClient) -> list[str]:
    """The `kid` of each published key."""
    return [key["kid"] for key in (await client.get(JWKS)).json()["keys"]]


async def introspect(
    client: httpx.AsyncClient, caller: Credentials, token: str, **form: str
) -> dict[str, object]:
    """What a resource server is told of a token."""
    answer = await client.post(INTROSPECT, data={"token": token} | caller.form | form)
    assert answer.status_code == 200, answer.text
    document: dict[str, object] = answer.json()
    return document


def with_another_mac(refresh_token: str) -> str:
    """What somebody makes up who knows the session's id."""
    raw = base64.urlsafe_b64decode(refresh_token + "==")
    forged = raw[:-1] + bytes([raw[-1] ^ 1])
    return base64.urlsafe_b64encode(forged).decode().rstrip("=")
