"""Who may administrate: it takes the role, and a token with the scope."""

import asyncio
from typing import get_args

import httpx
import pytest
from fastapi import FastAPI

from src.access.permissions import OWN_SCOPES, ROLES, Role
from tests.administration.support import AUDIT, NOBODY, USERS, change, read
from tests.auth.support import ME, REGISTER, refresh, rows, segment, whoami
from tests.support import PASSWORD, Account, Accounts, all_wait, locked_account, problem_of

ENDPOINTS = [
    ("GET", USERS, "users:manage"),
    ("GET", f"{USERS}/{{id}}", "users:manage"),
    ("PATCH", f"{USERS}/{{id}}", "users:manage"),
    ("POST", f"{USERS}/{{id}}/sessions/end", "users:manage"),
    ("POST", f"{USERS}/{{id}}/password/force-reset", "users:manage"),
    ("DELETE", f"{USERS}/{{id}}/mfa", "users:manage"),
    ("GET", AUDIT, "audit:read"),
]
GRABS: list[dict[str, object]] = [
    {"is_superuser": True},
    {"is_active": True},
    {"roles": ["admin"]},
    {"role": "admin"},
    {"email_verified": True},
    {"email_verified_at": "2026-03-01T12:00:00Z"},
    {"mfa_enabled": False},
    {"last_sign_in_at": None},
    {"scope": "users:manage"},
    {"user": {"roles": ["admin"]}},
]


async def ask(
    client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
) -> httpx.Response:
    """Try an endpoint of administration."""
    json: dict[str, object] | None = {} if method == "PATCH" else None
    return await client.request(method, path, headers=headers, json=json)


async def state(app: FastAPI) -> list[str]:
    """Everything about all users that administration could change."""
    return await rows(
        app,
        "SELECT concat_ws(' ', id, is_active, roles, password_hash, mfa_enabled, version)"
        " FROM users ORDER BY id",
    )


@pytest.mark.parametrize(("method", "path", "scope"), ENDPOINTS)
async def test_nobody_gets_in_without_the_role_and_the_scope(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    admin: Account,
    ann: Account,
    method: str,
    path: str,
    scope: str,
) -> None:
    await accounts.add("mod", roles=("moderator",))
    mod = await accounts.sign_in("mod")
    narrow = await accounts.sign_in("admin", scope="profile:read")
    before = await state(app)
    for user_id in (admin.id, ann.id, NOBODY):
        url = path.format(id=user_id)
        problem_of(await ask(client, method, url, {}), 401, "not_authenticated")
        problem_of(
            await ask(client, method, url, {"Authorization": "Bearer x"}),
            401,
            "invalid_access_token",
        )
        for caller in (ann, mod, narrow):
            answer = await ask(client, method, url, caller.headers)
            problem_of(answer, 403, "insufficient_scope")
            assert f'scope="{scope}"' in answer.headers["www-authenticate"]
    assert await state(app) == before


@pytest.mark.parametrize(("method", "path", "scope"), ENDPOINTS)
async def test_the_scope_alone_is_enough_for_whoever_has_the_role(
    client: httpx.AsyncClient,
    accounts: Accounts,
    admin: Account,
    ann: Account,
    method: str,
    path: str,
    scope: str,
) -> None:
    token = (await accounts.token("admin", scope=scope)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = await ask(client, method, path.format(id=ann.id), headers)
    assert answer.status_code in {200, 204}, answer.text
    for other_method, other_path, other_scope in ENDPOINTS:
        if other_scope != scope:
            answer = await ask(client, other_method, other_path.format(id=ann.id), headers)
            problem_of(answer, 403, "insufficient_scope")


@pytest.mark.parametrize(("method", "path", "scope"), ENDPOINTS)
async def test_an_unknown_user_is_not_found_and_no_id_is_refused(
    client: httpx.AsyncClient, admin: Account, method: str, path: str, scope: str
) -> None:
    if "{id}" not in path:
        return
    answer = await ask(client, method, path.format(id=NOBODY), admin.headers)
    problem_of(answer, 404, "not_found")
    for wrong in ("ann", NOBODY.replace("-", ""), f"{{{NOBODY}}}", "1", "%00", "../x"):
        answer = await ask(client, method, path.format(id=wrong), admin.headers)
        assert answer.status_code in {404, 405, 422}, answer.text


async def test_me_is_not_taken_for_a_users_id(
    client: httpx.AsyncClient, admin: Account, ann: Account
) -> None:
    for account, refused in ((admin, 422), (ann, 403)):
        for method, path, status in (
            ("DELETE", "me/mfa", 405),
            ("POST", "me/sessions/end", 404),
            ("POST", "me/password/force-reset", 404),
            ("DELETE", "melanie/mfa", refused),
        ):
            answer = await ask(client, method, f"{USERS}/{path}", account.headers)
            assert answer.status_code == status, path
    answer = await ask(client, "DELETE", f"{USERS}/me/mfa", ann.headers)
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_a_role_that_is_taken_is_missed_at_the_next_request(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account
) -> None:
    await accounts.add("second", roles=("admin",))
    second = await accounts.sign_in("second")
    assert (await client.get(USERS, headers=second.headers)).status_code == 200
    assert (await change(client, admin, second.id, roles=["moderator"])).status_code == 200
    problem_of(await client.get(USERS, headers=second.headers), 403, "insufficient_scope")
    problem_of(await client.get(AUDIT, headers=second.headers), 403, "insufficient_scope")
    problem_of(await change(client, second, second.id, roles=["admin"]), 403, "insufficient_scope")
    answer = await refresh(client, second.refresh_token)
    # Others believe what the token says.
    assert answer.json()["scope"] == segment(answer.json()["access_token"], 1)["scope"]
    assert set(answer.json()["scope"].split()) == set(OWN_SCOPES)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    problem_of(await client.get(USERS, headers=headers), 403, "insufficient_scope")
    assert (await client.get(ME, headers=headers)).json()["roles"] == ["moderator"]
    problem_of(await accounts.token("second", scope="users:manage"), 400, "invalid_scope")


async def test_a_session_of_nothing_but_a_lost_role_is_not_refreshed(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account
) -> None:
    await accounts.add("second", roles=("admin",))
    tokens = (await accounts.token("second", scope="users:manage audit:read")).json()
    user_id = segment(tokens["access_token"], 1)["sub"]
    await change(client, admin, user_id, roles=[])
    problem_of(await refresh(client, tokens["refresh_token"]), 400, "invalid_scope")
    await change(client, admin, user_id, roles=["admin"])
    answer = await refresh(client, tokens["refresh_token"], scope="audit:read")
    assert answer.json()["scope"] == "audit:read"


async def test_a_scope_that_is_no_more_is_in_no_new_token(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    """Others believe what the token says, and no role gives it any more."""
    scope = " ".join([*OWN_SCOPES, "gone:manage"])
    async with app.state.database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE sessions SET scope = $1", (scope,))
    answer = await refresh(client, ann.refresh_token)
    assert set(answer.json()["scope"].split()) == set(OWN_SCOPES)
    assert segment(answer.json()["access_token"], 1)["scope"] == answer.json()["scope"]


async def test_a_personal_token_administrates_with_the_scope_and_the_role(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, ann: Account
) -> None:
    await accounts.add("second", roles=("admin",))
    second = await accounts.sign_in("second")
    tokens = []
    for scopes in (["users:manage"], ["audit:read", "profile:read"]):
        data = {"name": "script", "scopes": scopes, "current_password": PASSWORD}
        made = await client.post("/api/v1/users/me/tokens", json=data, headers=second.headers)
        assert made.status_code == 201, made.text
        tokens.append({"Authorization": f"Bearer {made.json()['token']}"})
    manager, reader = tokens
    url = f"{USERS}/{ann.id}"
    changed = await client.patch(url, json={"roles": ["moderator"]}, headers=manager)
    assert changed.json()["roles"] == ["moderator"]
    entry = (await client.get(AUDIT, headers=reader)).json()["items"][0]
    assert (entry["action"], entry["actor_id"]) == ("roles.changed", second.id)
    problem_of(await client.get(AUDIT, headers=manager), 403, "insufficient_scope")
    problem_of(await client.get(url, headers=reader), 403, "insufficient_scope")
    await change(client, admin, second.id, roles=[])
    problem_of(await client.get(url, headers=manager), 403, "insufficient_scope")
    problem_of(await client.get(AUDIT, headers=reader), 403, "insufficient_scope")
    assert (await client.get(ME, headers=reader)).status_code == 200
    await change(client, admin, second.id, is_active=False)
    problem_of(await client.get(ME, headers=reader), 401, "invalid_access_token")


async def test_a_role_that_is_given_counts_from_the_next_sign_in(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, ann: Account
) -> None:
    assert (await change(client, admin, ann.id, roles=["admin"])).status_code == 200
    problem_of(await client.get(USERS, headers=ann.headers), 403, "insufficient_scope")
    ann = await accounts.sign_in("ann")
    assert (await client.get(USERS, headers=ann.headers)).status_code == 200


async def test_a_disabled_user_is_out_at_the_next_request(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, ann: Account
) -> None:
    assert (await change(client, admin, ann.id, is_active=False)).status_code == 200
    problem_of(await whoami(client, ann.access_token), 401, "invalid_access_token")
    problem_of(await refresh(client, ann.refresh_token), 400, "invalid_grant")
    problem_of(await accounts.token("ann"), 400, "invalid_grant")
    problem_of(await client.get(f"{USERS}/ann"), 404, "not_found")
    assert (await read(client, admin, ann.id)).json()["is_active"] is False
    assert (await change(client, admin, ann.id, is_active=True)).status_code == 200
    # What ended stays ended.
    problem_of(await whoami(client, ann.access_token), 401, "invalid_access_token")
    problem_of(await refresh(client, ann.refresh_token), 400, "invalid_grant")
    assert (await accounts.token("ann")).status_code == 200


@pytest.mark.parametrize("grab", GRABS)
async def test_nobody_gives_themselves_anything(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, grab: dict[str, object]
) -> None:
    before = await state(app)
    bob = {"email": "bob@x.test", "password": PASSWORD}
    problem_of(await client.post(REGISTER, json=bob | grab), 422, "validation_error")
    problem_of(await client.patch(ME, json=grab, headers=ann.headers), 422, "validation_error")
    assert await state(app) == before


def test_the_roles_of_the_document_are_those_that_give_something() -> None:
    assert set(get_args(Role.__value__)) == set(ROLES)


REMOVALS: list[tuple[dict[str, object], int, str]] = [
    ({"roles": []}, 403, "insufficient_scope"),
    ({"is_active": False}, 401, "invalid_access_token"),
]


@pytest.mark.parametrize(("removal", "status", "code"), REMOVALS)
@pytest.mark.parametrize(
    ("method", "whose", "path", "body"),
    [
        ("PATCH", "second", "", {"is_active": True, "roles": ["admin"]}),
        ("PATCH", "admin", "", {"roles": ["moderator"]}),
        ("PATCH", "ann", "", {"roles": ["admin"]}),
        ("POST", "ann", "/sessions/end", None),
        ("POST", "ann", "/password/force-reset", None),
        ("DELETE", "ann", "/mfa", None),
    ],
)
async def test_who_is_removed_gets_nothing_done_by_requests_under_way(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    admin: Account,
    ann: Account,
    removal: dict[str, object],
    status: int,
    code: str,
    method: str,
    whose: str,
    path: str,
    body: dict[str, object] | None,
) -> None:
    await accounts.add("second", roles=("admin",))
    await accounts.add("third", roles=("admin",))  # so that nobody is the last one
    second = await accounts.sign_in("second")
    target = {"second": second, "admin": admin, "ann": ann}[whose]
    async with locked_account(app, "second"):
        removing = asyncio.create_task(change(client, admin, second.id, **removal))
        await all_wait(app, 1)
        url = f"{USERS}/{target.id}{path}"
        under_way = asyncio.create_task(
            client.request(method, url, json=body, headers=second.headers)
        )
        await all_wait(app, 2)
    assert (await removing).status_code == 200
    problem_of(await under_way, status, code)
