"""Public profiles: what everybody sees of a user, and what nobody does."""

import httpx
from fastapi import FastAPI
from sqlalchemy import update

from src.users.models import User
from tests.auth.support import ONE_REQUEST_ID, change, code
from tests.support import Accounts

SHOWN = {"id", "username", "display_name", "bio", "avatar_url", "posts_count", "created_at"}
SHOWN |= {"followers_count", "following_count", "following"}
LONGEST = 64
HOSTILE = ["%00", "a%00b", "%FF", "%ED%A0%80", "%0D%0A", "%F0%9F%98%80", "a" * 65, "a" * 5000]
HOSTILE += ["%2e%2e", "..%2F..", "'%20OR%201=1", "%25", "*", "_nn", "an_", "ann%20", "me%00"]


async def profile(client: httpx.AsyncClient, username: str) -> httpx.Response:
    """Read a profile without signing in."""
    return await client.get(f"/api/v1/users/{username}", headers=ONE_REQUEST_ID)


async def test_everybody_sees_the_profile_and_nothing_private(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    answer = await profile(client, "ann")
    assert answer.status_code == 200
    assert set(answer.json()) == SHOWN
    assert answer.json()["id"] == ann.id
    assert "x.test" not in answer.text
    signed_in = await client.get("/api/v1/users/ann", headers=ann.headers | ONE_REQUEST_ID)
    assert signed_in.json() == answer.json()
    for spelling in ("ANN", "Ann", "ann/"):
        assert (await profile(client, spelling)).json() == answer.json()


async def test_a_disabled_user_looks_like_none(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    await accounts.add("ann")
    assert (await profile(client, "ann")).status_code == 200
    await change(app, update(User).values(is_active=False))
    disabled, missing = await profile(client, "ann"), await profile(client, "bob")
    assert code(disabled) == (404, "not_found")
    assert disabled.headers == missing.headers
    assert disabled.text == missing.text.replace("/bob", "/ann")


async def test_a_hostile_name_is_nobodys(client: httpx.AsyncClient, accounts: Accounts) -> None:
    await accounts.add("ann")
    for name in HOSTILE:
        answer = await profile(client, name)
        no_text = len(name) > LONGEST or "%00" in name  # what no name in the database can be
        assert code(answer) == ((422, "validation_error") if no_text else (404, "not_found")), name
