"""Deleting one's account."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.account import deletion
from src.sql.session import DatabaseSession
from src.users.administrators import require_another_administrator
from src.users.models import User
from tests.account.data import (
    delete_account,
    populate,
    tables_of_users,
)
from tests.auth.support import ME, change, code, refresh, register, rows, sign_in, whoami
from tests.personal_tokens.support import bearer, create, made
from tests.posts.support import POSTS, write
from tests.support import PASSWORD, Account, Accounts, Inbox, all_wait

# Where populate() has put something.
TO_DELETE = {
    "email_links.user_id",
    "idempotency_keys.user_id",
    "personal_tokens.user_id",
    "posts.author_id",
    "recovery_codes.user_id",
    "registrations.user_id",
    "sessions.user_id",
    "totp_factors.user_id",
    "users.id",
}
# What happened stays: in the audit log for good, among the events for a week.
# Rows that go with posts, and those that a trigger takes the user out of.
OTHERWISE = {"post_search.author_id", "comments.author_id"}
KEPT = {"audit_log.actor_id", "audit_log.user_id", "events.actor_id"}
# By their keys into users that delete what refers to it, or the reference alone.
CASCADING = """
SELECT class.relname || '.' || attribute.attname
FROM pg_constraint reference
JOIN pg_class class ON class.oid = reference.conrelid
JOIN pg_attribute attribute ON attribute.attrelid = class.oid
    AND attribute.attnum = ANY (reference.conkey)
WHERE reference.contype = 'f' AND reference.confrelid = 'users'::regclass
AND reference.confdeltype IN ('c', 'n')
"""


async def test_the_account_is_gone_and_its_tokens_are_dead(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    phone = await accounts.sign_in("ann")
    token = await made(client, ann)
    post = await write(client, ann, status="published")
    deleted = await delete_account(client, ann)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for dead in (ann.access_token, phone.access_token, token["token"]):
        assert code(await whoami(client, dead)) == (401, "invalid_access_token")
    assert (await refresh(client, phone.refresh_token)).json()["error"] == "invalid_grant"
    assert (await sign_in(client, "ann")).content == (await sign_in(client, "nobody")).content
    assert (await client.get(f"{POSTS}/{post['id']}")).status_code == 404
    assert (await client.get("/api/v1/users/ann")).status_code == 404


async def test_the_address_is_free_again(
    client: httpx.AsyncClient, ann: Account, inbox: Inbox
) -> None:
    await delete_account(client, ann)
    await register(client, "ann@x.test")
    mails = await inbox.mails("ann@x.test", 2)
    assert {mail.subject for mail in mails} >= {"Your account has been deleted"}
    assert any("token=" in mail.text for mail in mails), "a confirmation, as for a new address"


async def test_the_owner_is_told_and_the_audit_log_stays(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, inbox: Inbox
) -> None:
    entries = "SELECT user_id || ' ' || action FROM audit_log ORDER BY id"
    before = await rows(app, entries)
    await delete_account(client, ann)
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "Your account has been deleted"
    assert await rows(app, entries) == [*before, f"{ann.id} account.deleted"]


async def test_everything_of_the_user_goes_and_nothing_of_others(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, bob: Account
) -> None:
    await populate(app, client, ann)
    await populate(app, client, bob)

    async def held(who: Account) -> dict[str, int]:
        return {
            f"{table}.{column}": len(
                await rows(app, f"SELECT 1 FROM {table} WHERE {column} = '{who.id}'")  # noqa: S608
            )
            for table, columns in (await tables_of_users(app)).items()
            for column in columns
        }

    hashed = await app.state.auth.hasher.hash(PASSWORD)
    await change(app, update(User).values(password_hash=hashed))
    anns, bobs = await held(ann), await held(bob)
    assert {name for name, count in anns.items() if count} >= TO_DELETE
    assert (await delete_account(client, ann)).status_code == 204
    left = {name for name, count in (await held(ann)).items() if count}
    assert left == KEPT
    assert await held(bob) == bobs


async def test_no_table_keeps_what_names_a_deleted_user_but_the_log_and_events(
    app: FastAPI,
) -> None:
    names = {
        f"{table}.{column}"
        for table, columns in (await tables_of_users(app)).items()
        for column in columns
    }
    kept = names - {"users.id"} - set(await rows(app, CASCADING))
    assert kept == KEPT | OTHERWISE


async def test_a_wrong_password_deletes_nothing(client: httpx.AsyncClient, ann: Account) -> None:
    assert code(await delete_account(client, ann, "wrong password")) == (400, "wrong_password")
    assert (await whoami(client, ann.access_token)).status_code == 200


@pytest.mark.parametrize("body", [None, {}, {"current_password": None}, {"password": "x"}])
async def test_the_password_is_asked_for(
    client: httpx.AsyncClient, ann: Account, body: dict[str, Any] | None
) -> None:
    answer = await client.request("DELETE", ME, json=body, headers=ann.headers)
    assert code(answer) == (422, "validation_error")


async def test_a_personal_token_deletes_nothing(client: httpx.AsyncClient, ann: Account) -> None:
    token = await made(client, ann, scopes=["profile:read", "profile:write"])
    data = {"current_password": PASSWORD}
    answer = await client.request("DELETE", ME, json=data, headers=bearer(token))
    assert code(answer) == (403, "session_required")
    assert (await whoami(client, ann.access_token)).status_code == 200


async def test_a_condition_that_no_longer_holds_deletes_nothing(
    client: httpx.AsyncClient, ann: Account
) -> None:
    tag = (await whoami(client, ann.access_token)).headers["etag"]
    await client.patch(ME, json={"bio": "new"}, headers=ann.headers)
    refused = await delete_account(client, ann, **{"If-Match": tag})
    assert code(refused) == (412, "precondition_failed")
    tag = (await whoami(client, ann.access_token)).headers["etag"]
    assert (await delete_account(client, ann, **{"If-Match": tag})).status_code == 204


async def test_the_last_administrator_stays(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    await accounts.add("root", roles=("admin",))
    await accounts.add("former", roles=("admin",), active=False)
    root = await accounts.sign_in("root")
    assert code(await delete_account(client, root, "wrong password")) == (400, "wrong_password")
    assert code(await delete_account(client, root)) == (409, "last_administrator")
    assert (await whoami(client, root.access_token)).status_code == 200
    assert (await delete_account(client, ann)).status_code == 204
    await accounts.add("second", roles=("admin",))
    assert (await delete_account(client, root)).status_code == 204


async def test_of_all_administrators_at_once_one_stays(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    names = ["root", "second", "third", "fourth"]
    for name in names:
        await accounts.add(name, roles=("admin",))
    roots = [await accounts.sign_in(name) for name in names]
    # They all wait at the same point: none has locked a row yet, or each their own.
    async with app.state.database.sessions() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("SELECT 1 FROM users FOR UPDATE")
        asking = [asyncio.create_task(delete_account(client, root)) for root in roots]
        await all_wait(app, len(roots))
        await session.rollback()
        answers = await asyncio.gather(*asking)
    outcomes = sorted(answer.status_code for answer in answers)
    assert outcomes == [204] * (len(roots) - 1) + [409]
    [refused] = [answer for answer in answers if answer.status_code == 409]
    assert code(refused) == (409, "last_administrator")
    assert len(await rows(app, "SELECT id FROM users")) == 1


async def test_a_password_changed_meanwhile_counts_for_administrators_too(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("root", "second"):
        await accounts.add(name, roles=("admin",))
    root = await accounts.sign_in("root")

    async def change_the_password_first(session: DatabaseSession, user: User) -> None:
        new = update(User).where(User.id == user.id).values(password_hash="another")
        await change(app, new)
        await require_another_administrator(session, user)

    monkeypatch.setattr(deletion, "require_another_administrator", change_the_password_first)
    assert code(await delete_account(client, root)) == (400, "wrong_password")
    assert (await whoami(client, root.access_token)).status_code == 200


async def test_deleted_many_times_at_once_it_is_deleted_once(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    answers = await asyncio.gather(*(delete_account(client, ann) for _ in range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 204
    assert set(statuses[1:]) <= {400, 401, 429}
    entries = await rows(app, "SELECT action FROM audit_log WHERE action = 'account.deleted'")
    assert len(entries) == 1


async def export_perhaps_cut_off(client: httpx.AsyncClient, who: Account) -> httpx.Response:
    """The export, or its status when the account goes while it is sent and the rest with it.

    httpx's transport has no other way to say that an answer was cut off.
    """
    try:
        return await client.get(f"{ME}/export", headers=who.headers)
    except AssertionError:
        assert (await whoami(client, who.access_token)).status_code == 401
        return httpx.Response(200)


async def test_other_requests_of_the_user_meet_no_defect_of_ours(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    for number in range(4):
        ann = await accounts.sign_in(f"ann{number}")
        token = await made(client, ann)
        post = await write(client, ann)
        published = {"title": "A post", "body": "Its text", "status": "published"}
        address = f"{POSTS}/{post['id']}"
        requests: list[Awaitable[httpx.Response]] = []
        for turn in range(4):
            requests += [
                client.post(POSTS, json=published, headers=ann.headers),
                client.post(
                    POSTS, json=published, headers=ann.headers | {"Idempotency-Key": f"{turn}"}
                ),
                client.patch(address, json={"status": "published"}, headers=ann.headers),
                client.patch(ME, json={"bio": f"{turn}"}, headers=ann.headers),
                create(client, ann),
                whoami(client, token["token"]),
                refresh(client, ann.refresh_token),
                sign_in(client, ann.username),
                export_perhaps_cut_off(client, ann),
            ]
        requests.insert(len(requests) // 2, delete_account(client, ann))
        answers = await asyncio.gather(*requests)
        assert 500 not in {answer.status_code for answer in answers}
        deleted = answers[len(requests) // 2]
        if deleted.status_code == 409:  # a post that is published locks it, then its author
            assert code(deleted) == (409, "conflict")
            deleted = await delete_account(client, ann)
        assert deleted.status_code == 204
    assert await rows(app, "SELECT id FROM posts") == []
    assert await rows(app, "SELECT id FROM sessions") == []
