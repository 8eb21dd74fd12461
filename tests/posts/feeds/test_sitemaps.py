"""The sitemap: every published post, in parts once there are many."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from src.posts.feeds.sitemaps import KEPT_FOR, MAX_KEPT, MAX_URLS, Sitemaps
from src.sql.pool import Pool
from tests.conftest import execute
from tests.posts.feeds.support import parsed, texts, xml
from tests.posts.support import change, trash, write
from tests.support import Account, FrozenClock, problem_of

SITEMAP = "/sitemap.xml"
MANY = """
    INSERT INTO posts (id, author_id, slug, title, summary, body, body_html, status, tags,
                       published_at, created_at, updated_at, version)
    SELECT gen_random_uuid(), users.id, 'post-' || n, 'x', '', 'x', 'x', 'published', '{}',
           now() - n * interval '1 second', now(), now(), 1
    FROM users, generate_series(1, 60000) n WHERE username = 'ann'
"""


async def test_it_lists_what_is_published(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(client, ann, title="Boats", status="published")
    clock.advance(timedelta(seconds=5))
    await write(client, ann, title="Rivers", status="published")
    await write(client, ann, title="A draft")
    later = (clock.now() + timedelta(days=1)).isoformat()
    await write(client, ann, title="Later", status="scheduled", publish_at=later)
    await trash(client, ann, await write(client, ann, title="Gone", status="published"))
    clock.advance(timedelta(hours=1))
    await change(client, ann, post, title="Ships")
    root = await parsed(client, SITEMAP, utm_source="mail")
    assert texts(root, "map:url/map:loc") == [
        "http://plaza.test/api/v1/posts/ships",
        "http://plaza.test/api/v1/posts/rivers",
    ]
    assert texts(root, "map:url/map:lastmod") == ["2026-03-01T13:00:05Z", "2026-03-01T12:00:05Z"]


async def test_an_empty_one_is_well_formed(client: httpx.AsyncClient) -> None:
    assert len(await parsed(client, SITEMAP)) == 0
    problem_of(await client.get("/sitemaps/posts-1.xml"), 404, "not_found")


async def test_addresses_are_those_of_the_front_end(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, database_url: str
) -> None:
    await write(client, ann, title="Boats", status="published")
    await execute(database_url, "UPDATE posts SET slug = 'привет-<&>'")  # as none is made now
    update = {"frontend_url": "https://app.test/a&b"}
    settings = app.state.settings.model_copy(update=update)
    sitemaps = Sitemaps(app.state.database.reads, settings, app.state.clock)
    root = xml((await sitemaps.whole()).body)
    assert texts(root, "map:url/map:loc") == [
        "https://app.test/a&b/posts/%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82-%3C%26%3E"
    ]


async def test_many_posts_come_in_parts(
    client: httpx.AsyncClient, ann: Account, database_url: str
) -> None:
    # Without the triggers, which would count the same author for each.
    await execute(database_url, "SET session_replication_role = replica", MANY)
    index = await parsed(client, SITEMAP)
    assert index.tag.endswith("}sitemapindex")
    parts = texts(index, "map:sitemap/map:loc")
    assert parts == [f"http://plaza.test/sitemaps/posts-{number}.xml" for number in (1, 2)]
    found = [texts(await parsed(client, part), "map:url/map:loc") for part in parts]
    assert [len(addresses) for addresses in found] == [MAX_URLS, 60000 - MAX_URLS]
    assert found[0][0].endswith("/post-60000")  # the oldest
    assert len({*found[0], *found[1]}) == 60000
    problem_of(await client.get("/sitemaps/posts-3.xml"), 404, "not_found")
    for wrong in ("0", "x", "-1", "9" * 30):
        assert (await client.get(f"/sitemaps/posts-{wrong}.xml")).status_code in {404, 422}


async def test_it_is_made_once_in_a_while(
    client: httpx.AsyncClient,
    ann: Account,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await write(client, ann, title="One", status="published")
    statements: list[str] = []
    fetch = Pool.fetch

    async def counted(pool: Pool, sql: str, arguments: list[object], **options: bool) -> object:
        statements.append(sql)
        return await fetch(pool, sql, arguments, **options)

    monkeypatch.setattr(Pool, "fetch", counted)
    before = (await client.get(SITEMAP)).content
    assert len(statements) == 2
    await write(client, ann, title="Two", status="published")
    statements.clear()
    assert (await client.get(SITEMAP)).content == before
    assert statements == []
    clock.advance(KEPT_FOR)
    assert b"/two" in (await client.get(SITEMAP)).content


async def test_few_parts_are_kept(
    app: FastAPI,
    client: httpx.AsyncClient,
    ann: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(MAX_KEPT + 2):
        await write(client, ann, title=f"Post {number}", status="published")
    sitemaps: Sitemaps = app.state.sitemaps
    await sitemaps.whole()
    monkeypatch.setattr(sitemaps, "_starts", [sitemaps._starts[0]] * (MAX_KEPT + 2))
    for number in range(1, MAX_KEPT + 3):
        await sitemaps.part(number)
    assert [*sitemaps._kept] == list(range(3, MAX_KEPT + 3))
