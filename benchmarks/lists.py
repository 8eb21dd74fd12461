"""LISTS: what lists of posts cost PostgreSQL, however many posts there are."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import asyncpg

from benchmarks import data
from src.posts.following.lists import read_feed
from src.posts.lists import list_posts
from src.posts.reads import read_post
from src.posts.schemas import PostFilter, PostPage
from src.sql.listing import DEFAULT_LIMIT, encode_cursor

FAR_PAGE = 1000
COMMON_WORD = "fountain"
SIGNED_IN, FEED = "newest, to somebody", "of 500 whom somebody follows"
TIMES = 25
_FOLLOW = """
    INSERT INTO follows SELECT $1, id, now() FROM users
    WHERE id <> $1 ORDER BY md5(username) LIMIT 500 ON CONFLICT DO NOTHING
"""
_FAR = """
    SELECT published_at, id FROM posts WHERE status = 'published' AND deleted_at IS NULL
    ORDER BY published_at DESC, id DESC OFFSET $1 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class ListCost:
    """What one list costs PostgreSQL, in ms: planning it too, where that is done each time."""

    title: str
    milliseconds: float


class Explained:
    """Where statements run, and PostgreSQL says how long it took for them (a `Runner`)."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.milliseconds = 0.0

    async def fetch(
        self, sql: str, arguments: list[object], *, replan: bool = False
    ) -> list[asyncpg.Record]:
        """Run it once for its time, and once for its rows."""
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}"
        [plan] = json.loads(await self._connection.fetchval(explained, *arguments))
        self.milliseconds += plan["Execution Time"] + (plan["Planning Time"] if replan else 0)
        rows: list[asyncpg.Record] = await self._connection.fetch(sql, *arguments)
        return rows

    async def write(self, sql: str, arguments: list[object]) -> None:
        """Nothing here writes."""
        raise NotImplementedError


async def measure_lists(url: str) -> list[ListCost]:
    """What each list costs, the median of some tries."""
    connection = await asyncpg.connect(url)
    try:
        far = await connection.fetchrow(_FAR, (FAR_PAGE - 1) * DEFAULT_LIMIT - 1)
        assert far is not None
        cursor = encode_cursor(far["published_at"], far["id"])
        viewer = data.user_id(0)
        await connection.execute(_FOLLOW, viewer)
        lists: dict[str, Callable[[Any], Awaitable[object]]] = {
            "newest": lambda runner: list_posts(runner, PostFilter(), None),
            f"newest, page {FAR_PAGE}": lambda runner: list_posts(
                runner, PostFilter(cursor=cursor), None
            ),
            "oldest": lambda runner: list_posts(runner, PostFilter(sort="oldest"), None),
            "popular": lambda runner: list_posts(runner, PostFilter(sort="popular"), None),
            "of an author": lambda runner: list_posts(runner, PostFilter(author="user-7"), None),
            "with a tag": lambda runner: list_posts(runner, PostFilter(tag="bread"), None),
            SIGNED_IN: lambda runner: list_posts(runner, PostFilter(), viewer),
            FEED: lambda runner: read_feed(runner, PostPage(), viewer),
            "with a common word": lambda runner: list_posts(
                runner, PostFilter(q=COMMON_WORD), None
            ),
            "with a common word, newest": lambda runner: list_posts(
                runner, PostFilter(q=COMMON_WORD, sort="newest"), None
            ),
            "one post": lambda runner: read_post(runner, str(data.post_id(7)), None),
        }
        return [ListCost(title, await _median(connection, ask)) for title, ask in lists.items()]
    finally:
        await connection.close()


async def _median(connection: asyncpg.Connection, ask: Callable[[Any], Awaitable[object]]) -> float:
    times = []
    for _ in range(TIMES):
        explained = Explained(connection)
        await ask(explained)
        times.append(explained.milliseconds)
    return median(times)


async def grow(url: str, times: int) -> None:
    """Make so many times as many posts: each as often again, a while earlier, with its words."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("SET statement_timeout = 0")
        columns = ", ".join(
            row["column_name"]
            for row in await connection.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'posts'"
                " AND column_name NOT IN ('id', 'slug', 'published_at')"
            )
        )
        await connection.execute(f"""
            CREATE TEMPORARY TABLE copies AS
            SELECT posts.id, gen_random_uuid() AS copy_id, slug || '-' || copy AS copy_slug,
                published_at - copy * interval '3 years' AS copy_at
            FROM posts, generate_series(1, {times - 1}) AS copy
        """)
        await connection.execute(f"""
            INSERT INTO posts (id, slug, published_at, {columns})
            SELECT copy_id, copy_slug, copy_at, {columns} FROM posts JOIN copies USING (id)
        """)
        await connection.execute(
            "INSERT INTO post_slugs SELECT copy_slug, copy_id, copy_at FROM copies"
        )
        await connection.execute("""
            INSERT INTO post_search SELECT copy_id, author_id, copy_at, document
            FROM post_search JOIN copies ON copies.id = post_search.post_id
        """)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
