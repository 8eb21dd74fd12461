"""Lists: every row once, whatever is added meanwhile; cursors that are ours or nothing."""

import base64
import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest

from src.ids import uuid7
from src.sql.listing import decode_cursor, encode_cursor
from tests.conftest import execute
from tests.support import Account, Accounts, FrozenClock, problem_of

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
GOOD = encode_cursor(datetime(2026, 3, 1, tzinfo=UTC), UUID(int=7))


async def publish(client: httpx.AsyncClient, author: Account, *titles: str) -> None:
    """Publish posts, at the time that the clock shows."""
    for title in titles:
        post = {"title": title, "body": "x", "status": "published"}
        answer = await client.post("/api/v1/posts", json=post, headers=author.headers)
        assert answer.status_code == 201


async def pages(client: httpx.AsyncClient, **parameters: Any) -> list[list[str]]:
    """The titles on every page, from the first to the last."""
    found: list[list[str]] = []
    cursor = None
    while True:
        given = parameters | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/v1/posts", params=given)).json()
        found.append([post["title"] for post in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("at", [LONG_AGO, FAR_OFF, datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)])
def test_a_cursor_stands_for_exactly_one_row(at: datetime) -> None:
    row_id = uuid7()
    assert decode_cursor(encode_cursor(at, row_id)) == (at, row_id)


def test_a_cursor_needs_no_escaping() -> None:
    cursor = encode_cursor(FAR_OFF, UUID(int=2**128 - 1))
    assert cursor.replace("-", "").replace("_", "").isalnum()


HOSTILE_CURSORS = {
    "empty": "",
    "a word": "none",
    "a number": "42",
    "an id": str(UUID(int=7)),
    "cut": GOOD[:-1],
    "cut by four": GOOD[:-4],
    "prolonged": GOOD + "AAAA",
    "blank before": " " + GOOD,
    "line break": GOOD + "\n",
    "NUL": GOOD[:-1] + "\0",
    "another alphabet": GOOD[:-1] + "~",
    "not ASCII": GOOD[:-1] + "é",
    "full-width": "\uff21" * 32,
    "beyond the last year": base64.urlsafe_b64encode(struct.pack(">q16s", 2**62, b"")).decode(),
    "beyond all years": base64.urlsafe_b64encode(struct.pack(">q16s", 2**63 - 1, b"")).decode(),
    "before the first year": base64.urlsafe_b64encode(struct.pack(">q16s", -(2**63), b"")).decode(),
    "SQL": "' OR 1=1 --",
    "JSON": '{"at": 0}',
    "long": "A" * 50_000,
}


async def test_a_cursor_that_is_none_of_ours_is_refused(client: httpx.AsyncClient) -> None:
    for kind, cursor in HOSTILE_CURSORS.items():
        answer = await client.get("/api/v1/posts", params={"cursor": cursor})
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["query", "cursor"], kind


async def test_a_changed_cursor_is_refused_or_an_ordinary_page(client: httpx.AsyncClient) -> None:
    for index in range(len(GOOD)):
        for letter in "A9-":
            cursor = GOOD[:index] + letter + GOOD[index + 1 :]
            answer = await client.get("/api/v1/posts", params={"cursor": cursor})
            assert answer.status_code in {200, 422}, cursor


async def test_the_farthest_times_make_an_ordinary_cursor(client: httpx.AsyncClient) -> None:
    for microseconds in (-62_135_596_800_000_000, 253_402_300_799_999_999):
        packed = struct.pack(">q16s", microseconds, UUID(int=0).bytes)
        cursor = base64.urlsafe_b64encode(packed).decode()
        assert (await client.get("/api/v1/posts", params={"cursor": cursor})).status_code == 200


async def test_a_limit_out_of_bounds_is_refused(client: httpx.AsyncClient) -> None:
    for limit in ("0", "-1", "101", "1e2", "", "ten", "10.5", "9" * 400, "NaN"):
        answer = await client.get("/api/v1/posts", params={"limit": limit})
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["query", "limit"]
    for limit in ("1", "100"):
        assert (await client.get("/api/v1/posts", params={"limit": limit})).status_code == 200


async def test_rows_of_one_moment_come_once_each_in_one_order(
    client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock, database_url: str
) -> None:
    # No index may lend its order to the list.
    name = urlsplit(database_url).path.removeprefix("/")
    await execute(database_url, f"ALTER DATABASE {name} SET enable_indexscan = off")
    ann = await accounts.sign_in("ann")
    for batch in range(3):
        await publish(client, ann, *(f"{batch}-{number}" for number in range(5)))
        clock.advance(timedelta(microseconds=1))
    # Ids in no order at all, as several machines with several clocks would make them.
    await execute(
        database_url,
        "DELETE FROM post_slugs",
        "DELETE FROM post_search",
        "UPDATE posts SET id = gen_random_uuid()",
    )
    [whole] = await pages(client, limit=100)
    assert [title[0] for title in whole] == list("222221111100000")
    for limit in (1, 2, 3, 4, 14, 15, 16):
        found = await pages(client, limit=limit)
        assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
        assert 1 <= len(found[-1]) <= limit
        assert [title for page in found for title in page] == whole


async def test_rows_added_meanwhile_shift_and_repeat_nothing(
    client: httpx.AsyncClient, accounts: Accounts, clock: FrozenClock
) -> None:
    ann = await accounts.sign_in("ann")
    for number in range(6):
        await publish(client, ann, f"old-{number}")
        clock.advance(timedelta(seconds=1))
    first = (await client.get("/api/v1/posts?limit=2")).json()
    await publish(client, ann, "new-0", "new-1")
    second = (await client.get(f"/api/v1/posts?limit=2&cursor={first['next_cursor']}")).json()
    await publish(client, ann, "new-2")
    third = (await client.get(f"/api/v1/posts?limit=2&cursor={second['next_cursor']}")).json()
    titles = [post["title"] for page in (first, second, third) for post in page["items"]]
    assert titles == [f"old-{number}" for number in (5, 4, 3, 2, 1, 0)]
    assert third["next_cursor"] is None


async def test_the_link_leads_to_the_next_page_of_the_same_list(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    await publish(client, ann, "first", "second", "third")
    query = {"author": "ann", "limit": "2", "fields": "full"}
    page = await client.get("/api/v1/posts/", params=query)
    url = page.headers["link"].removeprefix("<").removesuffix('>; rel="next"')
    parts = urlsplit(url)
    assert parts.path == "/api/v1/posts"
    following = {name: [value] for name, value in query.items()}
    assert parse_qs(parts.query) == following | {"cursor": [page.json()["next_cursor"]]}
    last = await client.get(url)
    assert len(last.json()["items"]) == 1
    assert last.json()["next_cursor"] is None
    assert "link" not in last.headers


async def test_an_exact_page_has_no_next(client: httpx.AsyncClient, accounts: Accounts) -> None:
    ann = await accounts.sign_in("ann")
    await publish(client, ann, "first", "second")
    page = await client.get("/api/v1/posts?limit=2")
    assert len(page.json()["items"]) == 2
    assert page.json()["next_cursor"] is None
    assert "link" not in page.headers


async def test_an_empty_list_is_a_page(client: httpx.AsyncClient) -> None:
    page = await client.get("/api/v1/posts")
    assert page.json() == {"items": [], "next_cursor": None}
    beyond = await client.get("/api/v1/posts", params={"cursor": encode_cursor(LONG_AGO, uuid7())})
    assert beyond.json() == {"items": [], "next_cursor": None}
