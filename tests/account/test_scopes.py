"""A token does no more than its scopes, in one's own account too."""

from typing import Any

import httpx
import pytest

from src.ids import uuid7
from tests.auth.support import LOGOUT, ME, code, whoami
from tests.support import PASSWORD, Accounts

SESSIONS = "/api/v1/auth/sessions"
READS = [SESSIONS, f"{ME}/export", f"{ME}/mfa", f"{ME}/tokens", f"{ME}/tokens/{uuid7()}"]
CHANGES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("DELETE", f"{SESSIONS}/{uuid7()}", None),
    ("POST", LOGOUT, {"scope": "others"}),
    ("POST", LOGOUT, {"scope": "all"}),
    ("POST", f"{ME}/password", {"current_password": PASSWORD, "new_password": "a new password"}),
    ("POST", f"{ME}/email", {"current_password": PASSWORD, "new_email": "new@x.test"}),
    ("POST", f"{ME}/mfa/totp", {"current_password": PASSWORD}),
    ("POST", f"{ME}/mfa/totp/confirm", {"code": "123456"}),
    ("POST", f"{ME}/mfa/recovery-codes", {"current_password": PASSWORD, "code": "123456"}),
    ("DELETE", f"{ME}/mfa/totp", {"current_password": PASSWORD, "code": "123456"}),
    ("POST", f"{ME}/tokens", {"current_password": PASSWORD, "name": "x", "scopes": ["posts:read"]}),
    ("DELETE", f"{ME}/tokens/{uuid7()}", None),
    ("DELETE", ME, {"current_password": PASSWORD}),
]
REFUSED = (403, "insufficient_scope")


@pytest.mark.parametrize("path", READS)
async def test_reading_takes_the_scope(
    client: httpx.AsyncClient, accounts: Accounts, path: str
) -> None:
    narrow = await accounts.sign_in("ann", scope="posts:read profile:write")
    assert code(await client.get(path, headers=narrow.headers)) == REFUSED


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_changing_takes_the_scope(
    client: httpx.AsyncClient,
    accounts: Accounts,
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    wide = await accounts.sign_in("ann")
    narrow = await accounts.sign_in("ann", scope="posts:read profile:read")
    answer = await client.request(method, path, json=body, headers=narrow.headers)
    assert code(answer) == REFUSED
    assert (await whoami(client, wide.access_token)).status_code == 200


async def test_anybody_may_end_his_own_session(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    tokens = (await accounts.token("ann", scope="posts:read")).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await client.post(LOGOUT, headers=headers)).status_code == 204
    assert (await whoami(client, tokens["access_token"])).status_code == 401
