"""Preview links: they show a draft to whoever has them, for a week, and nothing else."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from src.config import Settings
from tests.posts.support import POSTS, change, trash, write
from tests.support import Account, FrozenClock, problem_of


async def link(client: httpx.AsyncClient, author: Account, post: dict[str, Any]) -> dict[str, Any]:
    """A new preview link of the post."""
    answer = await client.post(f"{POSTS}/{post['id']}/preview-link", headers=author.headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    made: dict[str, Any] = answer.json()
    return made


async def test_a_link_shows_the_draft_as_it_is_now(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, title="<Plans>", body="Some *text*")
    made = await link(client, ann, post)
    assert made["expires_at"] == "2026-03-08T12:00:00Z"
    shown = await client.get(f"/api/v1/post-previews/{made['token']}")
    assert (shown.json(), shown.headers["cache-control"]) == (post, "no-store")
    assert shown.headers["x-robots-tag"] == "noindex"
    page = await client.get(made["url"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;Plans&gt;" in page.text
    assert "<p>Some <em>text</em></p>" in page.text
    assert (page.headers["cache-control"], page.headers["x-robots-tag"]) == ("no-store", "noindex")
    await change(client, ann, post, body="Other text", status="published")
    assert "Other text" in (await client.get(made["url"])).text


async def test_it_ends_after_a_week_and_with_the_post(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(client, ann)
    made = await link(client, ann, post)
    path = f"/api/v1/post-previews/{made['token']}"
    await trash(client, ann, post)
    problem_of(await client.get(path), 404, "not_found")
    problem_of(await client.get(made["url"]), 404, "not_found")
    await client.post(f"{POSTS}/{post['id']}/restore", headers=ann.headers)
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert (await client.get(path)).status_code == 200
    clock.advance(timedelta(seconds=1))
    problem_of(await client.get(path), 404, "not_found")
    problem_of(await client.get(made["url"]), 404, "not_found")


async def test_another_token_shows_nothing(
    client: httpx.AsyncClient, ann: Account, subtests: pytest.Subtests
) -> None:
    made = await link(client, ann, await write(client, ann))
    token = made["token"]
    changed = [token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in (0, 25, 60)]
    for wrong in (*changed, token[:-1], token + "A", "x", ann.access_token[:70], "%00", "a" * 200):
        with subtests.test(wrong):
            problem_of(await client.get(f"/api/v1/post-previews/{wrong}"), 404, "not_found")
            page = await client.get("/preview-post", params={"token": wrong})
            problem_of(page, 404, "not_found")
    problem_of(await client.get(f"/api/v1/post-previews/{'a' * 201}"), 422, "validation_error")
    problem_of(await client.get("/preview-post"), 422, "validation_error")


class TestWithFrontEnd:
    """With FRONTEND_URL."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"frontend_url": "https://app.example.com"})

    async def test_the_token_is_in_the_fragment(
        self, client: httpx.AsyncClient, ann: Account
    ) -> None:
        made = await link(client, ann, await write(client, ann))
        assert made["url"] == f"https://app.example.com/preview-post#token={made['token']}"
