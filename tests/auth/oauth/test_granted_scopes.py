"""Scopes at sign-in: what roles give, what clients ask for, and what is taken away."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Security
from sqlalchemy import update

from src.access.permissions import OWN_SCOPES, PERMISSIONS, ROLES, SCOPES
from src.access.principals import Principal, current_principal
from src.users.models import User
from tests.auth.support import change, code, pair, refresh, segment, sign_in, whoami
from tests.support import Accounts

ADMINS = "/api/v1/for-admins"


def scopes(answer: httpx.Response) -> set[str]:
    """What was granted: the answer and the token say the same."""
    access, _ = pair(answer)
    granted = answer.json()["scope"]
    assert segment(access, 1)["scope"] == granted
    assert len(granted.split()) == len(set(granted.split()))
    return set(granted.split())


@pytest.mark.parametrize("roles", [(), ("no-such-role",)])
async def test_without_a_role_there_is_no_permission(
    client: httpx.AsyncClient, accounts: Accounts, roles: tuple[str, ...]
) -> None:
    await accounts.add("ann", roles=roles)
    assert scopes(await sign_in(client, "ann")) == set(OWN_SCOPES)
    everything = " ".join(SCOPES)
    assert scopes(await sign_in(client, "ann", scope=everything)) == set(OWN_SCOPES)
    narrowed = await sign_in(client, "ann", scope="users:manage profile:read")
    assert scopes(narrowed) == {"profile:read"}
    for scope in ("users:manage", " ".join(PERMISSIONS), " "):
        assert code(await sign_in(client, "ann", scope=scope)) == (400, "invalid_scope"), scope


async def test_scopes_stand_between_spaces_and_nothing_else(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    asked = " profile:read  posts:read "
    assert scopes(await sign_in(client, "ann", scope=asked)) == {"profile:read", "posts:read"}
    _, refresh_token = pair(await sign_in(client, "ann"))
    for blank in ("\t", "\n", "\u00a0", "\u2003", "\x1f"):
        asked = f"profile:read{blank}posts:read"
        assert code(await sign_in(client, "ann", scope=asked)) == (400, "invalid_scope")
        refreshed = await refresh(client, refresh_token, scope=asked)
        assert code(refreshed) == (400, "invalid_scope")


async def test_an_unknown_scope_is_refused_before_the_password_is_looked_at(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    for password in ("wrong horse", "correct horse battery"):
        answer = await sign_in(client, "ann", password, scope="profile:read root")
        assert code(answer) == (400, "invalid_scope")


async def test_roles_give_what_they_bundle(
    client: httpx.AsyncClient, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ROLES, "moderator", frozenset({"audit:read"}))
    await accounts.add("root", roles=("admin",))
    await accounts.add("mod", roles=("moderator",))
    await accounts.add("both", roles=("moderator", "admin"))
    assert scopes(await sign_in(client, "root")) == set(SCOPES)
    assert scopes(await sign_in(client, "both")) == set(SCOPES)
    assert scopes(await sign_in(client, "mod")) == {*OWN_SCOPES, "audit:read"}
    asked = "audit:read users:manage"
    assert scopes(await sign_in(client, "mod", scope=asked)) == {"audit:read"}
    assert scopes(await sign_in(client, "root", scope="profile:read")) == {"profile:read"}


@pytest.fixture
def for_admins(app: FastAPI) -> None:
    """A route that takes a permission."""

    @app.get(ADMINS)
    async def route(
        admin: Annotated[Principal, Security(current_principal, scopes=["users:manage"])],
    ) -> list[str]:
        return sorted(admin.scopes)


async def visit(client: httpx.AsyncClient, access: str) -> httpx.Response:
    return await client.get(ADMINS, headers={"Authorization": f"Bearer {access}"})


async def test_a_role_taken_away_is_gone_at_the_next_request(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, for_admins: None
) -> None:
    await accounts.add("root", roles=("admin",))
    access, refresh_token = pair(await sign_in(client, "root"))
    assert (await visit(client, access)).json() == sorted(SCOPES)
    await change(app, update(User).values(roles=["moderator"]))
    assert code(await visit(client, access)) == (403, "insufficient_scope")
    assert (await whoami(client, access)).status_code == 200
    refreshed, _ = pair(await refresh(client, refresh_token))
    assert code(await visit(client, refreshed)) == (403, "insufficient_scope")
    assert scopes(await sign_in(client, "root")) == set(OWN_SCOPES)


async def test_a_role_given_later_does_not_widen_a_token(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, for_admins: None
) -> None:
    await accounts.add("ann")
    access, refresh_token = pair(await sign_in(client, "ann"))
    await change(app, update(User).values(roles=["admin"]))
    assert code(await visit(client, access)) == (403, "insufficient_scope")
    refreshed, _ = pair(await refresh(client, refresh_token))
    assert code(await visit(client, refreshed)) == (403, "insufficient_scope")
    assert (await visit(client, pair(await sign_in(client, "ann"))[0])).status_code == 200
