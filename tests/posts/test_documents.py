"""What is sent is what the schemas say, field by field."""

import re
from datetime import datetime
from typing import Any, get_args

import httpx
from pydantic import BaseModel

from src.posts.life import PostStatus
from src.posts.schemas import PostListItem, PostRead
from src.schemas import Page
from src.users.schemas import UserProfile, UserRead
from tests.posts.support import POSTS, write
from tests.support import Account, query


def conforms(
    content: bytes, model: type[BaseModel], *, leaving_out: set[str] | None = None
) -> None:
    """The JSON is valid, has every field of the schema and no other, and tells times in UTC."""
    parsed = model.model_validate_json(content, strict=True)
    _same_fields(httpx.Response(200, content=content).json(), parsed, leaving_out or set())


def _same_fields(document: dict[str, Any], parsed: BaseModel, left_out: set[str]) -> None:
    assert set(document) == set(type(parsed).model_fields) - left_out
    for name, value in document.items():
        field = getattr(parsed, name)
        if isinstance(field, BaseModel):
            _same_fields(value, field, left_out)
        elif isinstance(field, list) and field and isinstance(field[0], BaseModel):
            for item, parsed_item in zip(value, field, strict=True):
                _same_fields(item, parsed_item, left_out)
        elif isinstance(field, datetime):
            assert value.endswith("Z")


async def test_posts(client: httpx.AsyncClient, ann: Account) -> None:
    text = {"body", "body_html"}
    draft = await write(client, ann, tags=["a"])
    post = {"title": "A post", "body": "x", "status": "published", "summary": "s"}
    created = await client.post(POSTS, json=post, headers=ann.headers)
    conforms(created.content, PostRead)
    path = f"{POSTS}/{draft['id']}"
    conforms((await client.get(path, headers=ann.headers)).content, PostRead)
    changed = await client.patch(path, json={"title": "B"}, headers=ann.headers)
    conforms(changed.content, PostRead)
    page = Page[PostListItem]
    conforms((await client.get(POSTS)).content, page, leaving_out={*text, "highlight"})
    full = await client.get(f"{POSTS}?fields=full")
    conforms(full.content, page, leaving_out={"highlight"})
    conforms((await client.get(f"{POSTS}?q=post&fields=full")).content, page)
    drafts = await client.get(f"{POSTS}?status=draft", headers=ann.headers)
    conforms(drafts.content, page, leaving_out={*text, "highlight"})


async def test_users(client: httpx.AsyncClient, ann: Account) -> None:
    conforms((await client.get("/api/v1/users/me", headers=ann.headers)).content, UserRead)
    changed = await client.patch("/api/v1/users/me", json={"bio": "x"}, headers=ann.headers)
    conforms(changed.content, UserRead)
    conforms((await client.get("/api/v1/users/ann")).content, UserProfile)


async def test_the_states_of_a_post_are_those_that_the_database_knows(database_url: str) -> None:
    [constraint] = await query(
        database_url,
        "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint"
        " WHERE conname = 'ck_posts_status_known'",
    )
    known = re.findall(r"'(\w+)'", constraint["text"])
    assert set(get_args(PostStatus.__value__)) == set(known)
