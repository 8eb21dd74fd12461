"""Lists come out of indexes in their order, and a viewer's reactions by primary key."""

import re

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from src.config import Settings
from tests.posts.support import POSTS, write
from tests.support import Account

TAGS = "/api/v1/tags"
VIEWED = {
    "pk_likes",
    "pk_bookmarks",
    "ix_blocks_blocked_id",
    "ix_blocks_blocker_id_created_at_blocked_id",
}
NEWEST = """
    SELECT statement, cardinality(parameter_types) AS parameters FROM pg_prepared_statements
    WHERE statement NOT LIKE '%pg_prepared_statements%' ORDER BY prepare_time DESC LIMIT 1
"""
WITH_ANY_INDEX = ("enable_seqscan = off", "enable_sort = off", "enable_bitmapscan = off")
LISTS: list[tuple[str, set[str]]] = [
    (POSTS, {"ix_posts_published"}),
    (f"{POSTS}?sort=oldest", {"ix_posts_published"}),
    (f"{POSTS}?sort=popular", {"ix_posts_popular"}),
    (f"{POSTS}?status=draft", {"ix_posts_author"}),
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with one connection for reads."""
    return settings.model_copy(update={"read_pool_size": 1})


async def plan(app: FastAPI, database_url: str) -> str:
    """How PostgreSQL would go about the statement prepared last, if there were many rows."""
    [statement] = await app.state.database.reads.fetch(NEWEST, [])
    connection = await asyncpg.connect(database_url)
    try:
        for setting in (*WITH_ANY_INDEX, "plan_cache_mode = force_generic_plan"):
            await connection.execute(f"SET {setting}")
        await connection.execute(f"PREPARE list AS {statement['statement']}")
        values = ", ".join(["NULL"] * statement["parameters"])
        lines = await connection.fetch(
            f"EXPLAIN EXECUTE list({values})" if values else "EXPLAIN EXECUTE list"
        )
        return "\n".join(line[0] for line in lines)
    finally:
        await connection.close()


def indexes(text: str) -> set[str]:
    """The indexes of a plan."""
    return set(re.findall(r"(?:using|Index Scan on) (\w+)", text)) - {"pk_users"}


async def test_each_order_has_its_index(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, database_url: str
) -> None:
    await write(client, ann, tags=["a"], status="published")
    for path, expected in LISTS:
        answer = await client.get(path, headers=ann.headers)
        assert answer.status_code == 200
        found = await plan(app, database_url)
        assert indexes(found) == expected | VIEWED, f"{path}\n{found}"
        assert "Sort" not in found, path


async def test_who_is_not_signed_in_costs_no_lookups(
    client: httpx.AsyncClient, app: FastAPI, database_url: str
) -> None:
    await client.get(POSTS)
    assert indexes(await plan(app, database_url)) == {"ix_posts_published"}


async def test_tags_come_from_theirs(
    client: httpx.AsyncClient, app: FastAPI, database_url: str
) -> None:
    for sort, index in (("count", "ix_tags_most_used"), ("name", "pk_tags")):
        await client.get(f"{TAGS}?sort={sort}")
        found = await plan(app, database_url)
        assert indexes(found) == {index}
        assert "Index Cond" in found
        assert "Sort" not in found
