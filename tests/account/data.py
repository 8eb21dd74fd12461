"""Short ways to take one's data along, to delete an account, and to wait in a queue of locks."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI

from tests.auth.support import ME, rows
from tests.support import PASSWORD, PATIENCE_SECONDS, Account

EXPORT = f"{ME}/export"


async def delete_account(
    client: httpx.AsyncClient, who: Account, password: str = PASSWORD, **headers: str
) -> httpx.Response:
    """The answer to a deletion of one's account."""
    data = {"current_password": password}
    return await client.request("DELETE", ME, json=data, headers=who.headers | headers)


async def exported(client: httpx.AsyncClient, who: Account) -> dict[str, list[dict[str, Any]]]:
    """One's data."""
    answer = await client.get(EXPORT, headers=who.headers)
    assert answer.status_code == 200, answer.text
    data: dict[str, list[dict[str, Any]]] = answer.json()
    return data


async def until_somebody_waits(app: FastAPI, how_many: int = 1) -> None:
    """Return once so many connections wait for a lock of another."""
    waiting = (
        "SELECT pid FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(await rows(app, waiting)) < how_many:  # noqa: ASYNC110 - a lock tells nobody
            await asyncio.sleep(0.01)
