"""Short ways to write and read posts."""

from typing import Any

import httpx

from tests.support import Account

POSTS = "/api/v1/posts"


async def write(client: httpx.AsyncClient, author: Account, **fields: Any) -> dict[str, Any]:
    """A new post with these fields; a draft unless they say otherwise."""
    post = {"title": "A post", "body": "Its text"} | fields
    answer = await client.post(POSTS, json=post, headers=author.headers)
    assert answer.status_code == 201, answer.text
    written: dict[str, Any] = answer.json()
    return written


async def change(
    client: httpx.AsyncClient, author: Account, post: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    """The post after a PATCH."""
    answer = await client.patch(f"{POSTS}/{post['id']}", json=fields, headers=author.headers)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def trash(client: httpx.AsyncClient, author: Account, post: dict[str, Any]) -> None:
    """Delete the post."""
    answer = await client.delete(f"{POSTS}/{post['id']}", headers=author.headers)
    assert (answer.status_code, answer.content) == (204, b"")


async def titles(
    client: httpx.AsyncClient, reader: Account | None = None, **filters: Any
) -> list[str]:
    """The titles of a list's first page."""
    headers = reader.headers if reader else {}
    answer = await client.get(POSTS, params=filters, headers=headers)
    assert answer.status_code == 200, answer.text
    return [post["title"] for post in answer.json()["items"]]
