"""Of 100,000 posts, every list reads about what it shows: by an index, and nothing row by row."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from fastapi import FastAPI

from src.posts.lists import list_posts
from src.posts.reactions.reads import BOOKMARKS
from src.posts.reads import read_post
from src.posts.schemas import PostFilter, PostPage
from src.sql.listing import encode_cursor
from tests.conftest import execute

POSTS, AUTHORS = 100_000, 4999
ROWS = 1100  # the most that a list looks at: a thousand that are ranked
FILL = f"""
    SET session_replication_role = replica;
    INSERT INTO users (id, email, username, display_name, password_hash, version)
    SELECT md5('user' || n)::uuid, n || '@x.test', 'user-' || n, n, '', 1
    FROM generate_series(1, {AUTHORS}) AS n;
    INSERT INTO posts (
        id, author_id, slug, title, summary, body, body_html, status, tags, likes_count,
        created_at, published_at, publish_at, deleted_at, version
    )
    SELECT md5('post' || n)::uuid, md5('user' || n % {AUTHORS} + 1)::uuid, 'post-' || n,
        'Post ' || n, '', repeat(md5(n::text), 3), md5(n::text) || md5('a' || n), status,
        ARRAY['common', 'tag-' || n % 5000], n * 7919 % 1000,
        at, CASE status WHEN 'published' THEN at END, CASE status WHEN 'scheduled' THEN at END,
        CASE WHEN n % 50 = 3 THEN at END, 1
    FROM generate_series(1, {POSTS}) AS n,
    LATERAL (SELECT timestamptz '2026-01-01Z' - n * interval '1 minute' AS at,
        CASE WHEN n % 10 = 0 THEN 'draft' WHEN n % 100 = 1 THEN 'scheduled' ELSE 'published' END
        AS status) AS each;
    INSERT INTO post_slugs SELECT slug, id, created_at FROM posts;
    INSERT INTO post_search
    SELECT id, author_id, published_at, to_tsvector('russian', concat_ws(' ', 'boat',
        CASE WHEN likes_count % 10 = 0 THEN 'river' END, 'word' || likes_count, tags[2]))
    FROM posts WHERE status = 'published' AND deleted_at IS NULL;
    INSERT INTO bookmarks SELECT md5('user1')::uuid, id, created_at FROM posts;
    INSERT INTO blocks SELECT md5('user' || n)::uuid, md5('user' || n % {AUTHORS} + 1)::uuid, now()
    FROM generate_series(1, {AUTHORS}) AS n;
    INSERT INTO likes SELECT id, md5('user1')::uuid, created_at FROM posts;
    RESET session_replication_role;
    ANALYZE;
"""  # noqa: S608 - with numbers of ours
VIEWER = UUID("24c9e15e-52af-c47c-225b-757e7bee1f9d")  # of user-1
CURSOR = encode_cursor(datetime(2025, 12, 1, tzinfo=UTC), UUID(int=0))
NEWEST, SEARCH = {"ix_posts_published"}, {"ix_post_search_published_at_post_id"}
LISTS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, NEWEST),
    ({"cursor": CURSOR}, NEWEST),
    ({"limit": 100}, NEWEST),
    ({"sort": "oldest"}, NEWEST),
    ({"sort": "popular"}, {"ix_posts_popular"}),
    ({"author": "user-7"}, set()),
    ({"author": "user-7", "cursor": CURSOR}, {"ix_posts_author_published"}),
    ({"author": "user-7", "sort": "popular"}, {"ix_posts_author_popular"}),
    ({"author": "nobody"}, set()),
    ({"tag": "common"}, NEWEST),
    ({"tag": "common", "sort": "popular"}, {"ix_posts_popular"}),
    ({"tag": "tag-77"}, {"ix_posts_tags"}),
    ({"tag": "tag-77", "sort": "popular"}, {"ix_posts_tags"}),
    ({"tag": "nowhere"}, {"ix_posts_tags"}),
    ({"published_after": "2025-11-01T00:00:00Z"}, NEWEST),
    ({"published_before": "2025-11-01T00:00:00Z"}, NEWEST),
    ({"published_before": "2025-11-01T00:00:00Z", "sort": "oldest"}, NEWEST),
    ({"q": "boats"}, SEARCH),
    ({"q": "boats", "sort": "newest"}, set()),
    ({"q": "boats river"}, set()),
    ({"q": "word77"}, {"ix_post_search_document"}),
    ({"q": "word77", "sort": "newest"}, {"ix_post_search_document"}),
    ({"q": "nowhere"}, {"ix_post_search_document"}),
    ({"q": "boats", "author": "user-7"}, set()),
    ({"q": "boats", "tag": "tag-77"}, set()),
]
OWN: list[tuple[dict[str, Any], set[str]]] = [
    ({"status": "draft"}, {"ix_posts_author"}),
    ({"status": "scheduled"}, {"ix_posts_author"}),
    ({"status": "any"}, {"ix_posts_author"}),
    ({"status": "trash"}, {"ix_posts_author"}),
    ({"status": "any", "sort": "oldest", "tag": "tag-77"}, {"ix_posts_author"}),
]


class Plans:
    """Where statements run, and how PostgreSQL went about them is looked at."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.indexes: set[str] = set()
        self.rows = 0.0
        self.scanned: set[str] = set()

    async def fetch(
        self, sql: str, arguments: list[object], *, replan: bool = False
    ) -> list[asyncpg.Record]:
        explained = await self._connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments
        )
        self._look(json.loads(explained)[0]["Plan"])
        rows: list[asyncpg.Record] = await self._connection.fetch(sql, *arguments)
        return rows

    async def write(self, sql: str, arguments: list[object]) -> None:
        raise NotImplementedError

    def _look(self, node: dict[str, Any]) -> None:
        if "Index Name" in node:
            self.indexes.add(node["Index Name"])
        if node["Node Type"] == "Seq Scan":
            self.scanned.add(node["Relation Name"])
        if "Relation Name" in node or "Index Name" in node:
            seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            self.rows = max(self.rows, seen * node["Actual Loops"])
        for child in node.get("Plans", ()):
            self._look(child)


@pytest.fixture
async def plans(app: FastAPI, database_url: str) -> Any:
    """Looks at plans, in a database with many posts."""
    await execute(database_url, FILL)
    connection = await asyncpg.connect(database_url)
    yield lambda: Plans(connection)
    await connection.close()


async def test_every_list_is_read_by_an_index(plans: Any, subtests: pytest.Subtests) -> None:
    for viewer_id, lists in ((None, LISTS), (VIEWER, LISTS), (VIEWER, OWN)):
        for query, expected in lists:
            with subtests.test(f"{query} {viewer_id}"):
                seen = plans()
                await list_posts(seen, PostFilter.model_validate(query), viewer_id)
                assert expected <= seen.indexes
                assert not seen.scanned
                assert seen.rows <= ROWS


async def test_a_post_and_ones_bookmarks_are_found_by_their_keys(plans: Any) -> None:
    for viewer_id in (None, VIEWER):
        for name, index in (("post-7", "pk_post_slugs"), (str(VIEWER), "pk_posts")):
            seen = plans()
            await read_post(seen, name, viewer_id)
            assert index in seen.indexes
            assert (seen.scanned, seen.rows <= 1) == (set(), True)
    for cursor in (None, CURSOR):
        seen = plans()
        await BOOKMARKS["summary"].page(seen, PostPage(cursor=cursor), viewer_id=VIEWER)
        assert "ix_bookmarks_user_id_created_at_post_id" in seen.indexes
        assert (seen.scanned, seen.rows <= 100) == (set(), True)
