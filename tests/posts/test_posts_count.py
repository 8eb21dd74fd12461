"""`posts_count` of an author: how many published posts there are, whatever happens to them."""

from typing import Any

import httpx
import pytest

from tests.conftest import execute
from tests.posts.support import change, trash, write
from tests.support import Account, query

RESTORE = "UPDATE posts SET deleted_at = NULL"
DELETE = "DELETE FROM posts"


async def posts_count(client: httpx.AsyncClient, author: Account) -> int:
    """What the public profile says; the owner sees the same."""
    public = (await client.get(f"/api/v1/users/{author.username}")).json()["posts_count"]
    own = (await client.get("/api/v1/users/me", headers=author.headers)).json()["posts_count"]
    assert own == public
    count: int = public
    return count


STEPS: list[tuple[list[str], int]] = [
    ([], 0),
    (["publish"], 1),
    (["publish", "publish"], 1),
    (["publish", "edit"], 1),
    (["edit"], 0),
    (["publish", "take back"], 0),
    (["publish", "take back", "publish"], 1),
    (["trash"], 0),
    (["publish", "trash"], 0),
    (["publish", "trash", RESTORE], 1),
    (["trash", RESTORE], 0),
    (["publish", "trash", DELETE], 0),
    (["publish", DELETE], 0),
    ([DELETE], 0),
    (["publish", "UPDATE posts SET title = 'x', version = 9"], 1),
    (["publish", "UPDATE posts SET status = 'draft', published_at = NULL"], 0),
]
CHANGES: dict[str, dict[str, Any]] = {
    "publish": {"status": "published"},
    "take back": {"status": "draft"},
    "edit": {"title": "B"},
}


async def test_every_step_is_counted(
    client: httpx.AsyncClient, ann: Account, database_url: str, subtests: pytest.Subtests
) -> None:
    for steps, expected in STEPS:
        with subtests.test(" → ".join(steps)):
            post = await write(client, ann)
            for step in steps:
                if step in CHANGES:
                    await change(client, ann, post, **CHANGES[step])
                elif step == "trash":
                    await trash(client, ann, post)
                else:
                    await execute(database_url, step)
            assert await posts_count(client, ann) == expected
        await execute(database_url, DELETE, "UPDATE users SET posts_count = 0")


async def test_each_author_has_a_count_of_their_own(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    for _ in range(3):
        await write(client, ann, status="published")
    await write(client, bob, status="published")
    await write(client, bob)
    assert (await posts_count(client, ann), await posts_count(client, bob)) == (3, 1)


async def test_an_author_who_is_deleted_takes_their_posts_along(
    client: httpx.AsyncClient, ann: Account, bob: Account, database_url: str
) -> None:
    for author in (ann, bob):
        await write(client, author, status="published")
        await write(client, author)
    await execute(database_url, "DELETE FROM users WHERE username = 'ann'")
    assert len(await query(database_url, "SELECT FROM posts")) == 2
    assert await posts_count(client, bob) == 1
