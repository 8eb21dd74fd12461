"""Lists: whatever is asked for, few statements, each compiled once, and every row once."""

import math
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from sqlalchemy import ColumnElement, Double, bindparam, cast, func

from src.audit.models import AuditEntry
from src.database import Database
from src.exceptions import InvalidInputError
from src.ids import uuid7
from src.sql import listing as module
from src.sql.listing import Listing, decode_cursor, encode_cursor, listing
from src.sql.shapes import Shape
from src.sql.statements import Compiled, NewRow, Rows
from tests.support import START

ENTRY = Shape({"id": AuditEntry.id, "at": AuditEntry.at, "action": AuditEntry.action})
_new_entry = NewRow(AuditEntry)


class Which(NamedTuple):
    """Which page."""

    limit: int = 2
    cursor: str | None = None


def entries_on(
    rows: Rows, device: str, action: str | None = None, since: datetime | None = None
) -> Rows:
    """Those of a device."""
    rows = rows.where(AuditEntry.device == device)
    if action is not None:
        rows = rows.where(AuditEntry.action == action)
    if since is not None:
        rows = rows.where(AuditEntry.at >= since)
    return rows


entries = listing(ENTRY, by=AuditEntry.at, replan={"action"})(entries_on)


async def write(database: Database, *actions: str, device: str = "desk") -> None:
    """An entry a minute, the last one newest; two have the same time."""
    ids = sorted(uuid7() for _ in actions)
    for minute, action in enumerate(actions):
        at = START + timedelta(minutes=minute // 2)
        entry = {"id": ids[minute], "at": at, "action": action, "device": device}
        nothing = {"actor_id": None, "user_id": None, "address": None, "details": "{}"}
        await _new_entry.write(database.writes, entry | nothing)


async def actions_of_all_pages(database: Database, limit: int, **filters: str) -> list[str]:
    """What the pages hold, one after the other."""
    found: list[str] = []
    cursor = None
    while True:
        listed = await entries.page(
            database.reads, Which(limit, cursor), device="desk", action=filters.get("action")
        )
        page = listed.rows[:limit]
        found += [row["action"] for row in page]
        if len(listed.rows) <= limit:
            return found
        cursor = listed.cursor(limit - 1)


async def test_pages_hold_every_row_once_newest_first(database: Database) -> None:
    await write(database, *"abcdefg")
    await write(database, "x", device="phone")
    for limit in (1, 2, 3, 20, 100):
        assert await actions_of_all_pages(database, limit) == list("gfedcba")


async def test_a_filter_that_is_not_given_does_not_narrow(database: Database) -> None:
    await write(database, *"abab")
    assert await actions_of_all_pages(database, 2, action="a") == ["a", "a"]
    since = START + timedelta(minutes=1)
    listed = await entries.page(database.reads, Which(), device="desk", since=since)
    assert [row["action"] for row in listed.rows] == ["b", "a"]


async def test_whatever_the_limit_a_set_of_filters_is_two_statements(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement for each limit would fill a connection's memory of them."""
    compiled: list[str] = []

    class Counted(Compiled):
        """Notes what is compiled."""

        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type]
            compiled.append(self.sql)

    monkeypatch.setattr(module, "Compiled", Counted)
    listing_here = Listing(ENTRY, AuditEntry.at, entries_on)
    compiled.clear()
    for limit in range(1, 101):
        for cursor in (None, encode_cursor(START, uuid7())):
            await listing_here.page(database.reads, Which(limit, cursor), device="desk")
    assert len(compiled) == 4
    assert len(set(compiled)) == 4


def test_a_parameter_that_no_condition_uses_is_found_at_import() -> None:
    def forgetful(rows: Rows, device: str, action: str | None = None) -> Rows:
        return rows.where(AuditEntry.device == device)

    with pytest.raises(TypeError, match="action"):
        Listing(ENTRY, AuditEntry.at, forgetful)
    with pytest.raises(TypeError, match="acton"):
        Listing(ENTRY, AuditEntry.at, entries_on, replan={"acton"})


async def test_what_holds_for_every_row_may_have_parameters(database: Database) -> None:
    def entries_of(rows: Rows, action: str | None = None) -> Rows:
        return rows if action is None else rows.where(AuditEntry.action == action)

    await write(database, *"aba")
    await write(database, "a", device="phone")
    on_device: Listing[...] = Listing(
        ENTRY, AuditEntry.at, entries_of, always=[AuditEntry.device == bindparam("device")]
    )
    for given, expected in ({}, "aba"), ({"action": "a"}, "aa"):
        listed = await on_device.page(database.reads, Which(), device="desk", **given)
        assert [row["action"] for row in listed.rows] == list(expected)
    with pytest.raises(TypeError, match="device"):
        await on_device.page(database.reads, Which(), action="a")


async def test_a_list_may_begin_with_the_oldest(database: Database) -> None:
    await write(database, *"abcdefg")
    oldest_first = Listing(ENTRY, AuditEntry.at, entries_on, descending=False)
    found: list[str] = []
    cursor = None
    for _ in range(4):
        listed = await oldest_first.page(database.reads, Which(2, cursor), device="desk")
        found += [row["action"] for row in listed.rows[:2]]
        cursor = listed.cursor(len(listed.rows[:2]) - 1)
    assert found == list("abcdefg")


@pytest.mark.parametrize(
    "length",
    [func.length(AuditEntry.action), cast(func.length(AuditEntry.action), Double) / 3],
    ids=["whole", "fractions"],
)
async def test_a_list_in_the_order_of_a_number_that_is_not_shown(
    database: Database, length: ColumnElement[float]
) -> None:
    await write(database, "ccc", "a", "bb", "dd", "e")
    longest_first = Listing(ENTRY, length, entries_on, tie=AuditEntry.id)
    pages = []
    cursor = None
    for _ in range(3):
        listed = await longest_first.page(database.reads, Which(2, cursor), device="desk")
        pages.append([row["action"] for row in listed.rows[:2]])
        cursor = listed.cursor(len(pages[-1]) - 1)
    assert pages == [["ccc", "dd"], ["bb", "e"], ["a"]]


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_cursor_holds_no_number_that_is_none(number: float) -> None:
    with pytest.raises(InvalidInputError):
        decode_cursor(encode_cursor(number, uuid7()), float)
