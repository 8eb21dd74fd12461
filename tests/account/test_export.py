"""Taking along everything that is held about oneself."""

import asyncio
import base64
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import delete, text
from starlette.types import Message

from src.account.export import CHUNK_BYTES
from src.audit import log as audit
from src.auth.security_events import MAX_NOTICES
from src.http.peer import Peer
from src.main import PERSONAL_DATA
from src.personal_data import ROWS_AT_ONCE, Section
from src.posts.personal_data import POSTS_AT_ONCE
from src.sql.pool import Pool
from src.sql.shapes import Document
from src.users.models import User
from tests.account.data import EXPORT, PLANTED, exported, populate, tables_of_users
from tests.auth.support import ME, change, code, rows
from tests.personal_tokens.support import bearer, made
from tests.posts.support import write
from tests.support import Account, Accounts, FrozenClock, Inbox, all_jobs_done

# Tables that name users and are not exported, each with the reason.
NOT_EXPORTED: dict[str, str] = {
    "follow_counts": "the follows are, and those of others are theirs",
    "post_search": "it has the words of posts, which are",
}
MANY_POSTS = text("""
    INSERT INTO posts (id, author_id, slug, title, summary, body, body_html, status, tags, version)
    SELECT gen_random_uuid(), :author_id, 'many-' || number, 'Post ' || number, '',
        repeat('0123456789', 1000), '', 'draft', '{}', 1
    FROM generate_series(1, 3000) number
""")
MEGABYTE = 1_000_000


async def test_the_document_is_a_file_that_nobody_keeps(
    client: httpx.AsyncClient, ann: Account
) -> None:
    answer = await client.get(EXPORT, headers=ann.headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="plaza-ann.json"'
    assert answer.headers["cache-control"] == "no-store"
    [account] = answer.json()["account"]
    me = (await client.get(ME, headers=ann.headers)).json()
    same = ("id", "email", "username", "display_name", "bio", "created_at", "roles")
    assert {name: account[name] for name in same} == {name: me[name] for name in same}


async def test_everything_is_in_it(client: httpx.AsyncClient, app: FastAPI, ann: Account) -> None:
    await populate(app, client, ann)
    data = await exported(client, ann)
    assert list(data) == ["left_out", *(section.name for section in PERSONAL_DATA)]
    assert data["left_out"] == []
    [account] = data["account"]
    assert account["last_sign_in_at"] == "2026-03-01T12:00:00Z"
    assert {post["title"] for post in data["posts"]} == {
        "A draft of ann",
        "News of ann",
        "Trash of ann",
    }
    assert data["posts"][0]["body"] == "Text"
    assert data["held_usernames"] == [{"held_until": "2026-03-31T12:00:00Z"}]
    [session] = data["sessions"]
    assert session["device"]
    [factor] = data["second_factor"]
    assert factor["confirmed_at"] == "2026-03-01T12:00:00Z"
    assert factor["recovery_codes_left"] == 2
    assert [one["display_name"] for one in data["registrations"]] == ["Name of ann"]
    assert [token["name"] for token in data["personal_tokens"]] == ["token of ann"]
    assert [link["new_email"] for link in data["email_links"]] == ["ann@new.test"]
    assert [key["key"] for key in data["idempotency_keys"]] == ["key-of-ann"]
    actions = [entry["action"] for entry in data["audit_log"]]
    assert actions == ["sign_in.succeeded", "personal_token.created", "account.exported"]
    assert data["audit_log"][1]["details"]["scope"] == "profile:read"


async def test_a_token_takes_along_what_it_may_read(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, ann: Account
) -> None:
    tokens = (await accounts.token("ann", scope="profile:read")).json()
    narrow = replace(ann, access_token=tokens["access_token"])
    await populate(app, client, ann)
    data = await exported(client, narrow)
    without = {
        section.name: " ".join(sorted(section.scopes - {"profile:read"}))
        for section in PERSONAL_DATA
        if section.scopes - {"profile:read"}
    }
    assert {"posts", "idempotency_keys", "audit_log"} <= without.keys()
    assert without["posts"] == "posts:read"
    assert data.pop("left_out") == [
        {"section": name, "missing_scope": missing} for name, missing in without.items()
    ]
    whole = await exported(client, ann)
    assert data == {name: whole[name] for name in whole if name not in {*without, "left_out"}}


async def test_every_table_that_names_users_is_in_it(app: FastAPI) -> None:
    covered = {table for section in PERSONAL_DATA for table in section.tables}
    tables = set(await tables_of_users(app))
    assert not covered & NOT_EXPORTED.keys()
    assert tables - covered == NOT_EXPORTED.keys(), "list a section in PERSONAL_DATA in src/main.py"
    assert covered <= tables
    names = [section.name for section in PERSONAL_DATA]
    assert len(names) == len(set(names))


async def test_no_secret_is_in_it(client: httpx.AsyncClient, app: FastAPI, ann: Account) -> None:
    await populate(app, client, ann)
    body = (await client.get(EXPORT, headers=ann.headers)).text
    for secret in (
        PLANTED.decode(),
        PLANTED.hex(),
        base64.b64encode(PLANTED).decode()[:-4],
        ann.access_token,
        ann.refresh_token,
    ):
        assert secret not in body


async def test_nobody_else_is_in_it(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, ann: Account, bob: Account
) -> None:
    await populate(app, client, ann)
    await populate(app, client, bob)
    root = await accounts.add("root", roles=("admin",))
    elsewhere = Peer("198.51.100.7", "Netscape/4")
    async with app.state.database.independent_transaction() as session:
        for user_id in (UUID(ann.id), UUID(bob.id)):
            await audit.record(
                session,
                "account.enabled",
                at=app.state.clock.now(),
                peer=elsewhere,
                actor_id=root.id,
                user_id=user_id,
            )
    body = (await client.get(EXPORT, headers=ann.headers)).text
    assert '"account.enabled"' in body
    for other in ("bob", bob.id, str(root.id), elsewhere.address, elsewhere.device):
        assert str(other) not in body


async def test_long_lists_are_complete(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, clock: FrozenClock
) -> None:
    entries = 2 * ROWS_AT_ONCE
    async with app.state.database.independent_transaction() as session:
        for number in range(entries):
            if number % 3:  # several have the same time
                clock.advance(timedelta(seconds=1))
            await audit.record(
                session,
                "test",
                at=clock.now(),
                peer=None,
                actor_id=UUID(ann.id),
                user_id=UUID(ann.id),
                number=number,
            )
    for number in range(2 * POSTS_AT_ONCE + 1):
        await write(client, ann, title=str(number), status=("draft", "published")[number % 2])
    data = await exported(client, ann)
    found = [entry["details"]["number"] for entry in data["audit_log"] if entry["action"] == "test"]
    assert sorted(found) == list(range(entries))
    titles = [int(post["title"]) for post in data["posts"]]
    assert sorted(titles) == list(
        range(2 * POSTS_AT_ONCE + 1)
    )  # ids of one millisecond have no order


async def test_three_thousand_posts_need_little_memory(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    await change(app, MANY_POSTS.bindparams(author_id=UUID(ann.id)))
    await exported(client, ann)  # what is made once, such as prepared statements
    size = posts = largest = 0

    async def send(message: Message) -> None:
        nonlocal size, posts, largest
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            return
        size += len(message["body"])
        largest = max(largest, len(message["body"]))
        posts += message["body"].count(b'"body":')

    async def receive() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": EXPORT,
        "raw_path": EXPORT.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {ann.access_token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("plaza.test", 80),
    }
    tracemalloc.start()
    try:
        await app(scope, receive, send)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert posts == 3000
    assert size > 30 * MEGABYTE
    assert largest < MEGABYTE
    assert peak < 5 * MEGABYTE


async def test_the_owner_is_told(client: httpx.AsyncClient, ann: Account, inbox: Inbox) -> None:
    await exported(client, ann)
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "Your data has been exported"


async def test_only_who_has_signed_in_gets_it(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    token = await made(client, ann, scopes=["profile:read", "posts:read"])
    refused = await client.get(EXPORT, headers=bearer(token))
    assert code(refused) == (403, "session_required")
    assert (await client.get(EXPORT)).status_code == 401
    assert await rows(app, "SELECT 1 FROM audit_log WHERE action = 'account.exported'") == []


@pytest.fixture
async def server(app: FastAPI) -> AsyncIterator[str]:
    """The application on a socket, where an answer can break off; its address."""
    config = uvicorn.Config(
        app,
        port=0,
        http="src.http.protocol.connection:HttpProtocol",
        log_config=None,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.should_exit = True
    await serving


def fails(app: FastAPI) -> Section:
    """A section that fails after its first document."""

    async def documents(reads: Pool, user_id: UUID) -> AsyncIterator[Document]:
        yield {"text": "x" * CHUNK_BYTES}
        raise RuntimeError("no further")

    return Section("fails", (), documents, frozenset())


def deletes(app: FastAPI, length: int = CHUNK_BYTES) -> Section:
    """A section during which the user is deleted."""

    async def documents(reads: Pool, user_id: UUID) -> AsyncIterator[Document]:
        yield {"text": "x" * length}
        await change(app, delete(User).where(User.id == user_id))

    return Section("deletes", (), documents, frozenset())


@pytest.mark.parametrize("breaks_off", [fails, deletes])
async def test_what_breaks_off_does_not_look_complete(
    app: FastAPI, ann: Account, server: str, breaks_off: Callable[[FastAPI], Section]
) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        await exported(client, ann)
        app.state.personal_data = [*PERSONAL_DATA[:3], breaks_off(app), *PERSONAL_DATA[3:]]
        received = b""

        async def read() -> None:
            nonlocal received
            async with client.stream("GET", EXPORT, headers=ann.headers) as answer:
                async for part in answer.aiter_bytes():
                    received += part

        with pytest.raises(httpx.RemoteProtocolError):
            await read()
    with pytest.raises(json.JSONDecodeError):
        json.loads(received)


async def test_an_account_that_is_deleted_before_anything_is_sent_is_nobodys(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    app.state.personal_data = [deletes(app, length=1), *PERSONAL_DATA]
    answer = await client.get(EXPORT, headers=ann.headers)
    assert code(answer) == (401, "invalid_access_token")


async def test_mail_about_many_exports_stops_and_the_audit_log_does_not(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    for _ in range(MAX_NOTICES + 3):
        await exported(client, ann)
    await all_jobs_done(app)
    assert len(await inbox.mails("ann@x.test", MAX_NOTICES)) == MAX_NOTICES
    entries = await rows(app, "SELECT id FROM audit_log WHERE action = 'account.exported'")
    assert len(entries) == MAX_NOTICES + 3
