"""A token does no more than its scopes, in one's own account too."""

from typing import Any

import httpx
import pytest

from tests.auth.support import LOGOUT, ME, code, whoami
from tests.support import PASSWORD, Accounts

SESSIONS = "/api/v1/auth/sessions"
NOBODYS = "01890000-0000-7000-8000-000000000000"
# Neither the one to read nor the one to change is enough to change something.
NARROW = ["posts:read posts:write profile:read", "posts:read posts:write profile:write"]
READS = [SESSIONS, f"{ME}/export", f"{ME}/mfa", f"{ME}/tokens", f"{ME}/tokens/{NOBODYS}"]
CHANGES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("DELETE", f"{SESSIONS}/{NOBODYS}", None),
    ("POST", f"{ME}/password", {"current_password": PASSWORD, "new_password": "a new password"}),
    ("POST", f"{ME}/email", {"current_password": PASSWORD, "new_email": "new@x.test"}),
    ("POST", f"{ME}/mfa/totp", {"current_password": PASSWORD}),
    ("POST", f"{ME}/mfa/totp/confirm", {"code": "123456"}),
    ("POST", f"{ME}/mfa/recovery-codes", {"current_password": PASSWORD, "code": "123456"}),
    ("DELETE", f"{ME}/mfa/totp", {"current_password": PASSWORD, "code": "123456"}),
    ("POST", f"{ME}/tokens", {"current_password": PASSWORD, "name": "x", "scopes": ["posts:read"]}),
    ("DELETE", f"{ME}/tokens/{NOBODYS}", None),
    ("DELETE", ME, {"current_password": PASSWORD}),
]
REFUSED = (403, "insufficient_scope")


async def narrow(accounts: Accounts, scope: str) -> dict[str, str]:
    """The Authorization header of a session of Ann's with this scope."""
    await accounts.sign_in("ann")
    tokens = (await accounts.token("ann", scope=scope)).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@pytest.mark.parametrize("path", READS)
async def test_reading_takes_the_scope(
    client: httpx.AsyncClient, accounts: Accounts, path: str
) -> None:
    headers = await narrow(accounts, "posts:read profile:write")
    assert code(await client.get(path, headers=headers)) == REFUSED


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_changing_takes_both_scopes(
    client: httpx.AsyncClient,
    accounts: Accounts,
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    wide = await accounts.sign_in("ann")
    for scope in NARROW:
        answer = await client.request(
            method, path, json=body, headers=await narrow(accounts, scope)
        )
        assert code(answer) == REFUSED
    assert (await whoami(client, wide.access_token)).status_code == 200


@pytest.mark.parametrize("which", ["others", "all"])
async def test_ending_other_sessions_takes_the_scope(
    client: httpx.AsyncClient, accounts: Accounts, which: str
) -> None:
    wide = await accounts.sign_in("ann")
    headers = await narrow(accounts, "posts:read profile:read")
    answer = await client.post(LOGOUT, json={"scope": which}, headers=headers)
    assert code(answer) == REFUSED
    assert (await whoami(client, wide.access_token)).status_code == 200


async def test_anybody_may_end_their_own_session(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    wide = await accounts.sign_in("ann")
    headers = await narrow(accounts, "posts:read")
    assert (await client.post(LOGOUT, headers=headers)).status_code == 204
    assert code(await client.get("/api/v1/posts", headers=headers)) == (401, "invalid_access_token")
    assert (await whoami(client, wide.access_token)).status_code == 200
