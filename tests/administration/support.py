"""Short ways to manage users over HTTP, and to see what was written down about it."""

from typing import Any

import httpx

from tests.support import Account

USERS = "/api/v1/users"
AUDIT = "/api/v1/audit-log"
NOBODY = "01890000-0000-7000-8000-000000000000"


async def users(client: httpx.AsyncClient, admin: Account, **filters: Any) -> list[str]:
    """The names on the first page of the list."""
    answer = await client.get(USERS, params=filters, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return [user["username"] for user in answer.json()["items"]]


async def read(client: httpx.AsyncClient, admin: Account, user_id: str) -> httpx.Response:
    """A user's account."""
    return await client.get(f"{USERS}/{user_id}", headers=admin.headers)


async def change(
    client: httpx.AsyncClient, admin: Account, user_id: str, **changes: object
) -> httpx.Response:
    """Change a user."""
    return await client.patch(f"{USERS}/{user_id}", json=changes, headers=admin.headers)


async def entries(
    client: httpx.AsyncClient, admin: Account, **filters: Any
) -> list[dict[str, Any]]:
    """The first page of the audit log."""
    answer = await client.get(AUDIT, params=filters, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def actions(client: httpx.AsyncClient, admin: Account, **filters: Any) -> list[str]:
    """What happened, newest first."""
    return [entry["action"] for entry in await entries(client, admin, **filters)]


def names(page: httpx.Response) -> list[str]:
    """Who is on a page of the list."""
    return [user["username"] for user in page.json()["items"]]
