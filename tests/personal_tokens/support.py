"""Short ways to make and use personal access tokens."""

from typing import Any

import httpx

from tests.support import PASSWORD, Account

TOKENS = "/api/v1/users/me/tokens"


async def create(client: httpx.AsyncClient, owner: Account, **fields: Any) -> httpx.Response:
    """The answer to a new token, by default one that reads the profile."""
    data = {"current_password": PASSWORD, "name": "backup", "scopes": ["profile:read"]} | fields
    return await client.post(TOKENS, json=data, headers=owner.headers)


async def made(client: httpx.AsyncClient, owner: Account, **fields: Any) -> dict[str, Any]:
    """A new token."""
    answer = await create(client, owner, **fields)
    assert answer.status_code == 201, answer.text
    token: dict[str, Any] = answer.json()
    return token


def bearer(token: dict[str, Any]) -> dict[str, str]:
    """The Authorization header of a token."""
    return {"Authorization": f"Bearer {token['token']}"}
