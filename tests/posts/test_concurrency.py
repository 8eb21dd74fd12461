"""Many at once: writers take turns, nothing is lost, nothing is a 500."""

import asyncio
import threading
from collections import Counter
from uuid import UUID

import httpx
import pytest

from src.config import Settings
from src.posts import router
from src.posts.text import rendering
from src.posts.text.markdown import render_markdown
from src.threads import BoundedThreads
from tests.posts.support import POSTS, write
from tests.support import PATIENCE_SECONDS, Account, Accounts, until

PARAGRAPH = "Some *ordinary* text with a [link](https://x.test) and `code`.\n\n"


async def test_patches_at_once_all_count(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann)
    path = f"{POSTS}/{post['id']}"
    patches = [
        client.patch(path, json={"title": f"Title {number}"}, headers=ann.headers)
        for number in range(20)
    ]
    answers = await asyncio.gather(*patches)
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 22))
    newest = max(answers, key=lambda answer: int(answer.json()["version"]))
    assert (await client.get(path, headers=ann.headers)).json() == newest.json()


async def test_of_patches_that_name_one_version_one_counts(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann)
    path = f"{POSTS}/{post['id']}"
    tag = (await client.get(path, headers=ann.headers)).headers["etag"]
    patches = [
        client.patch(
            path, json={"title": f"Title {number}"}, headers=ann.headers | {"If-Match": tag}
        )
        for number in range(10)
    ]
    answers = await asyncio.gather(*patches)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 9}


async def test_deleting_at_once_succeeds_once(client: httpx.AsyncClient, ann: Account) -> None:
    path = f"{POSTS}/{(await write(client, ann, status='published'))['id']}"
    answers = await asyncio.gather(*(client.delete(path, headers=ann.headers) for _ in range(8)))
    assert Counter(answer.status_code for answer in answers) == {204: 1, 404: 7}


async def test_the_count_is_right_after_a_storm(client: httpx.AsyncClient, ann: Account) -> None:
    posts = [await write(client, ann, title=str(number)) for number in range(5)]
    storm = [
        client.patch(f"{POSTS}/{post['id']}", json={"status": status}, headers=ann.headers)
        for status in ("published", "draft", "published", "draft", "published")
        for post in posts
    ]
    storm += [client.delete(f"{POSTS}/{post['id']}", headers=ann.headers) for post in posts[:2]]
    storm += [
        client.post(
            POSTS, json={"title": "A", "body": "x", "status": "published"}, headers=ann.headers
        )
        for _ in range(5)
    ]
    answers = await asyncio.gather(*storm)
    assert {answer.status_code for answer in answers} <= {200, 201, 204, 404}
    published = (await client.get(f"{POSTS}?limit=100")).json()["items"]
    profile = (await client.get("/api/v1/users/ann")).json()
    assert profile["posts_count"] == len(published)


async def test_many_long_posts_at_once_are_all_written(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = {"title": "A post", "body": PARAGRAPH * 80}
    requests = [client.post(POSTS, json=post, headers=ann.headers) for _ in range(30)]
    answers = await asyncio.gather(*requests)
    assert {answer.status_code for answer in answers} == {201}


@pytest.mark.no_cover  # with it, rendering takes ten times as long
async def test_the_longest_text_to_render_does_not_stop_the_others(
    client: httpx.AsyncClient, ann: Account
) -> None:
    worst = {"title": "A post", "body": "[" * 100_000}
    loop = asyncio.get_running_loop()
    waits: list[float] = []

    async def read_on() -> None:
        while not writing.done():
            started_at = loop.time()
            assert (await client.get(POSTS)).status_code == 200
            waits.append(loop.time() - started_at)

    begun_at = loop.time()
    writing = asyncio.create_task(client.post(POSTS, json=worst, headers=ann.headers))
    reading = asyncio.create_task(read_on())
    assert (await writing).status_code == 201
    took = loop.time() - begun_at
    await reading
    assert max(waits) < took / 2


class TestOneConnection:
    """One connection for new rows."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"database_pool_size": 1})

    async def test_a_text_being_rendered_holds_none(
        self, client: httpx.AsyncClient, ann: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        has_begun, may_end = asyncio.Event(), asyncio.Event()

        async def render_slowly(source: str, _: UUID) -> str:
            if source == "long":
                has_begun.set()
                await may_end.wait()
            return source

        monkeypatch.setattr(router, "render", render_slowly)
        headers = ann.headers | {"Idempotency-Key": "key"}
        long = {"title": "A", "body": "long"}
        slow = asyncio.create_task(client.post(POSTS, json=long, headers=headers))
        await has_begun.wait()
        async with asyncio.timeout(2):
            await write(client, ann, body="short")
        may_end.set()
        assert (await slow).status_code == 201


@pytest.mark.no_cover
async def test_one_authors_long_texts_leave_room_for_the_others(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await accounts.sign_in("bob")
    room = BoundedThreads("markdown", 1, PATIENCE_SECONDS, PATIENCE_SECONDS / 30_000)
    may_begin = threading.Event()

    def render_when_all_are_there(source: str) -> str:
        may_begin.wait(PATIENCE_SECONDS)
        return render_markdown(source)

    monkeypatch.setattr(rendering, "_threads", room)
    monkeypatch.setattr(rendering, "render_markdown", render_when_all_are_there)
    body = "[" * 10_000
    answers = [
        asyncio.create_task(client.post(POSTS, json={"title": "A", "body": body}, headers=headers))
        for headers in [*([ann.headers] * 8), bob.headers]
    ]
    try:
        await until(lambda: sum(answer.done() for answer in answers) == 6)
    finally:
        may_begin.set()
    statuses = [(await answer).status_code for answer in answers]
    assert statuses[-1] == 201
    assert Counter(statuses[:-1]) == {201: 2, 503: 6}
    await write(client, ann, body=body)  # there is room again
    room.close()


async def test_a_repeat_is_not_rendered_again(
    client: httpx.AsyncClient, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = 0

    async def render(source: str, _: UUID) -> str:
        nonlocal rendered
        rendered += 1
        return source

    monkeypatch.setattr(router, "render", render)
    headers = ann.headers | {"Idempotency-Key": "key"}
    post = {"title": "A", "body": "x"}
    answers = [await client.post(POSTS, json=post, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert rendered == 1
