"""Feeds: what they say of posts, which posts they have, and how they are kept."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from tests.conftest import execute
from tests.posts.feeds.support import ATOM, JSON, NAMES, json_feed, link, parsed, texts, xml
from tests.posts.support import change, trash, write
from tests.support import Account, FrozenClock, problem_of

HOSTILE = [
    "& < > \" ' ]]> <![CDATA[ <!-- --> <?xml?> &amp; &lt;",
    "😀 👩‍👩‍👧 مرحبا بالعالم שלום e\u0301\u0323",
    "<script>alert(1)</script> %s {{title}} \\u0000",
    "\U0010fffd \ue000 \u0378 \ufffd",
]
BASE = "{http://www.w3.org/XML/1998/namespace}base"


async def test_atom_has_all_of_a_post(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    post = await write(
        client,
        ann,
        title="Boats & rivers",
        body="Some *text*, [here](/there)",
        summary="About boats",
        tags=["boats", "c++"],
        status="published",
    )
    clock.advance(timedelta(hours=1))
    await change(client, ann, post, summary="About all boats")
    feed = await parsed(client, ATOM)
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    assert texts(feed, "id") == ["http://plaza.test/api/v1/posts/feed.atom"]
    assert texts(feed, "title") == ["Plaza"]
    assert texts(feed, "updated") == ["2026-03-01T13:00:00Z"]
    [entry] = feed.findall("entry", NAMES)
    assert texts(entry, "id") == [f"urn:uuid:{post['id']}"]
    assert texts(entry, "title") == ["Boats & rivers"]
    assert texts(entry, "published") == ["2026-03-01T12:00:00Z"]
    assert texts(entry, "updated") == ["2026-03-01T13:00:00Z"]
    assert texts(entry, "author/name") == ["Ann"]
    assert texts(entry, "author/uri") == ["http://plaza.test/api/v1/users/ann"]
    assert texts(entry, "summary") == ["About all boats"]
    assert texts(entry, "content") == [post["body_html"]]
    terms = [element.attrib["term"] for element in entry.findall("category", NAMES)]
    assert terms == ["boats", "c++"]
    [content] = entry.findall("content", NAMES)
    url = "http://plaza.test/api/v1/posts/boats-rivers"
    assert (content.attrib, link(entry, "alternate")) == ({"type": "html", BASE: url}, url)


async def test_json_has_all_of_a_post(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(
        client, ann, title="Boats", summary="Few", tags=["boats"], status="published"
    )
    assert await json_feed(client) == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Plaza",
        "home_page_url": "http://plaza.test",
        "feed_url": "http://plaza.test/api/v1/posts/feed.json",
        "items": [
            {
                "id": f"urn:uuid:{post['id']}",
                "url": "http://plaza.test/api/v1/posts/boats",
                "title": "Boats",
                "content_html": "<p>Its text</p>\n",
                "summary": "Few",
                "date_published": "2026-03-01T12:00:00Z",
                "date_modified": "2026-03-01T12:00:00Z",
                "authors": [{"name": "Ann", "url": "http://plaza.test/api/v1/users/ann"}],
                "tags": ["boats"],
            }
        ],
    }


async def test_an_empty_feed_is_a_feed(client: httpx.AsyncClient) -> None:
    feed = await parsed(client, ATOM, author="nobody", tag="nothing")
    assert texts(feed, "updated") == ["1970-01-01T00:00:00Z"]
    assert texts(feed, "title") == ["Plaza @nobody #nothing"]
    assert (await json_feed(client))["items"] == []


async def test_no_text_breaks_a_feed(
    client: httpx.AsyncClient, ann: Account, subtests: pytest.Subtests
) -> None:
    await client.patch("/api/v1/users/me", json={"display_name": HOSTILE[0]}, headers=ann.headers)
    for text in HOSTILE:
        with subtests.test(text):
            post = await write(client, ann, title=text, summary=text, body=text, status="published")
            entry = (await parsed(client, ATOM)).findall("entry", NAMES)[0]
            assert texts(entry, "title") == [post["title"]]
            assert texts(entry, "summary") == [post["summary"]]
            assert texts(entry, "content") == [post["body_html"]]
            assert texts(entry, "author/name") == [HOSTILE[0]]
            assert (await json_feed(client))["items"][0]["title"] == post["title"]


async def test_a_character_that_xml_does_not_have_is_a_space(
    client: httpx.AsyncClient, ann: Account, database_url: str
) -> None:
    post = await write(client, ann, body="a&#12;b", status="published")
    assert "\f" in post["body_html"]
    assert texts(await parsed(client, ATOM), "entry/content") == ["<p>a b</p>\n"]
    await execute(database_url, "UPDATE posts SET title = E'a\\x01b\\x1f\\uFFFEc'")
    assert texts(await parsed(client, ATOM), "entry/title") == ["a b  c"]


async def test_only_what_is_published_is_in_it_whoever_asks(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    await write(client, ann, title="A draft")
    later = (clock.now() + timedelta(days=1)).isoformat()
    await write(client, ann, title="Later", status="scheduled", publish_at=later)
    await trash(client, ann, await write(client, ann, title="Gone", status="published"))
    await change(
        client, ann, await write(client, ann, title="Back", status="published"), status="draft"
    )
    await write(client, ann, title="News", status="published")
    for url in (ATOM, JSON):
        public = await client.get(url)
        own = await client.get(url, headers=ann.headers)
        assert (own.content, own.headers["etag"]) == (public.content, public.headers["etag"])
        assert b"News" in public.content
        for title in (b"A draft", b"Later", b"Gone", b"Back"):
            assert title not in public.content
        assert "authorization" not in own.headers.get("vary", "").lower()


async def test_a_feed_is_of_an_author_or_a_tag(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    await write(client, ann, title="Ann on boats", tags=["boats"], status="published")
    await write(client, bob, title="Bob on boats", tags=["boats"], status="published")
    await write(client, bob, title="Bob on C++", tags=["c++"], status="published")
    of_bob = await parsed(client, ATOM, author="bob")
    assert set(texts(of_bob, "entry/title")) == {"Bob on boats", "Bob on C++"}
    assert texts(of_bob, "title") == ["Plaza @bob"]
    assert link(of_bob, "alternate") == "http://plaza.test/api/v1/users/bob"
    on_boats = await parsed(client, ATOM, tag="Boats")
    assert set(texts(on_boats, "entry/title")) == {"Ann on boats", "Bob on boats"}
    both = await json_feed(client, author="bob", tag="c++")
    assert [item["title"] for item in both["items"]] == ["Bob on C++"]
    assert both["feed_url"] == f"http://plaza.test{JSON}?author=bob&tag=c%2B%2B"
    assert await json_feed(client, both["feed_url"]) == both


@pytest.fixture
async def many(client: httpx.AsyncClient, ann: Account, clock: FrozenClock) -> list[str]:
    """The titles of more posts than a page has, newest first."""
    for number in range(45):
        clock.advance(timedelta(seconds=1))
        await write(client, ann, title=f"Post {number}", tags=["boats"], status="published")
    return [f"Post {number}" for number in reversed(range(45))]


async def test_older_posts_follow(client: httpx.AsyncClient, many: list[str]) -> None:
    url: str | None = f"http://plaza.test{ATOM}?tag=boats"
    first, found, pages = url, list[str](), 0
    while url:
        feed = await parsed(client, url)
        assert link(feed, "self") == url
        assert link(feed, "first") == first
        assert texts(feed, "id") == [first]
        found += texts(feed, "entry/title")
        url, pages = link(feed, "next"), pages + 1
    assert (found, pages) == (many, 3)


async def test_older_posts_follow_in_json(client: httpx.AsyncClient, many: list[str]) -> None:
    url, found = f"{JSON}?author=ann", list[str]()
    while url:
        feed = await json_feed(client, url)
        found += [item["title"] for item in feed["items"]]
        url = feed.get("next_url", "")
    assert found == many


async def test_a_post_keeps_its_id_when_its_address_changes(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann, title="Before", status="published")
    [before] = (await json_feed(client))["items"]
    await change(client, ann, post, title="After")
    [after] = (await json_feed(client))["items"]
    assert before["id"] == after["id"]
    assert after["url"] == "http://plaza.test/api/v1/posts/after"
    assert texts(await parsed(client, ATOM), "entry/id") == [before["id"]]


@pytest.mark.parametrize(
    ("url", "media_type", "age"),
    [
        (ATOM, "application/atom+xml", 60),
        (JSON, "application/feed+json", 60),
        ("/sitemap.xml", "application/xml", 3600),
    ],
)
async def test_it_is_kept_and_asked_for_again(
    client: httpx.AsyncClient,
    ann: Account,
    clock: FrozenClock,
    url: str,
    media_type: str,
    age: int,
) -> None:
    post = await write(client, ann, title="First", status="published")
    read = await client.get(url)
    assert read.headers["content-type"] == media_type
    assert read.headers["cache-control"] == f"public, max-age={age}"
    tag = read.headers["etag"]
    assert tag.startswith('"')
    again = await client.get(url, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["cache-control"] == read.headers["cache-control"]
    head = await client.head(url)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    clock.advance(timedelta(hours=1))
    await trash(client, ann, post)
    assert (await client.get(url, headers={"If-None-Match": tag})).status_code == 200


async def test_a_like_changes_no_feed(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    post = await write(client, ann, status="published")
    tag = (await client.get(ATOM)).headers["etag"]
    liked = await client.put(f"/api/v1/posts/{post['id']}/like", headers=bob.headers)
    assert liked.is_success, liked.text
    assert (await client.get(ATOM)).headers["etag"] == tag


async def test_bad_input_is_refused(client: httpx.AsyncClient) -> None:
    for url in (ATOM, JSON):
        for query in (
            "limit=5",
            "status=draft",
            "tag=a,b",
            "author=a%20b",
            "author=ann&author=bob",
        ):
            problem_of(await client.get(f"{url}?{query}"), 422, "validation_error")
        for cursor in ("x", "AAAA", "a" * 251):
            problem_of(await client.get(url, params={"cursor": cursor}), 422, "validation_error")


async def test_a_front_end_is_where_posts_are_read(
    app: FastAPI, client: httpx.AsyncClient, ann: Account
) -> None:
    await write(client, ann, title="Boats", status="published")
    app.state.settings = app.state.settings.model_copy(
        update={
            "frontend_url": "https://app.test/blog",
            "public_url": "https://plaza.test/api-of-it",
            "brand_name": "Cats & <Dogs>",
        }
    )
    headers = {"Host": "evil.test", "X-Forwarded-Host": "evil.test"}
    answer = await client.get(ATOM, headers=headers)
    assert "evil" not in answer.text
    feed = xml(answer.content)
    assert texts(feed, "title") == ["Cats & <Dogs>"]
    assert link(feed, "self") == f"https://plaza.test/api-of-it{ATOM}"
    assert link(feed, "alternate") == "https://app.test/blog"
    [entry] = feed.findall("entry", NAMES)
    assert link(entry, "alternate") == "https://app.test/blog/posts/boats"
    assert texts(entry, "author/uri") == ["https://app.test/blog/users/ann"]
    of_ann = await json_feed(client, author="ann")
    assert of_ann["home_page_url"] == "https://app.test/blog/users/ann"
    assert of_ann["items"][0]["url"] == "https://app.test/blog/posts/boats"
