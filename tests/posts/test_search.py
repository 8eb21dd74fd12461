"""Full-text search in published posts: found, ranked, highlighted, page by page."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.posts.search.highlights import END, START, safe_highlight
from tests.posts.support import POSTS, change, titles, trash, write
from tests.support import Account, FrozenClock, problem_of


async def publish(
    client: httpx.AsyncClient, author: Account, title: str, **fields: Any
) -> dict[str, Any]:
    """A new published post."""
    return await write(client, author, title=title, status="published", **fields)


@pytest.fixture
async def library(
    client: httpx.AsyncClient, ann: Account, bob: Account, clock: FrozenClock
) -> None:
    """Posts about boats and other things, a minute apart."""
    for author, title, fields in (
        (ann, "Wooden boats", {"body": "How a boat is built of oak.", "tags": ["craft"]}),
        (ann, "Rivers", {"body": "A river, and a boat on it.", "summary": "Water"}),
        (bob, "Bread", {"body": "Flour, water, salt.", "tags": ["kitchen", "craft"]}),
        (bob, "Деревянные лодки", {"body": "Как строят лодку из дуба."}),
        (bob, "Хлеб", {"body": "Мука, вода и соль. Boat is not here, but boating is."}),
    ):
        await publish(client, author, title, **fields)
        clock.advance(timedelta(minutes=1))
    await write(client, ann, title="A draft about boats")
    await trash(client, ann, await publish(client, ann, "Boats in the trash"))


SEARCHES: list[tuple[dict[str, Any], list[str]]] = [
    ({"q": "boat"}, ["Wooden boats", "Rivers", "Хлеб"]),
    ({"q": "BOATS"}, ["Wooden boats", "Rivers", "Хлеб"]),
    ({"q": "лодка"}, ["Деревянные лодки"]),
    ({"q": "лодками дубом"}, ["Деревянные лодки"]),
    ({"q": "water"}, ["Rivers", "Bread"]),
    ({"q": "kitchen"}, ["Bread"]),
    ({"q": "boat river"}, ["Rivers"]),
    ({"q": "bread or rivers"}, ["Rivers", "Bread"]),
    ({"q": "boat -oak"}, ["Rivers", "Хлеб"]),
    ({"q": '"boat is built"'}, ["Wooden boats"]),
    ({"q": '"built a boat"'}, []),
    ({"q": "boat", "author": "bob"}, ["Хлеб"]),
    ({"q": "boat", "tag": "craft"}, ["Wooden boats"]),
    ({"q": "boat", "published_after": "2026-03-01T12:00:30Z"}, ["Rivers", "Хлеб"]),
    ({"q": "boat", "sort": "newest"}, ["Хлеб", "Rivers", "Wooden boats"]),
    ({"q": "boat", "sort": "oldest"}, ["Wooden boats", "Rivers", "Хлеб"]),
    ({"q": "boat", "sort": "popular", "author": "bob"}, ["Хлеб"]),
    ({"q": "boat", "sort": "relevance", "limit": 1}, ["Wooden boats"]),
    ({"q": "draft"}, []),
    ({"q": "trash"}, []),
    ({"q": "the and of"}, []),
    ({"q": "-boat"}, []),
    ({"q": "-boat -bread"}, []),
    ({"q": "nothing"}, []),
]


async def test_words_are_found_in_either_language(
    client: httpx.AsyncClient, ann: Account, library: None, subtests: pytest.Subtests
) -> None:
    for query, expected in SEARCHES:
        with subtests.test(str(query)):
            for reader in (None, ann):
                found = await titles(client, reader, **query)
                if "sort" in query:
                    assert found == expected
                else:
                    assert sorted(found) == sorted(expected)


async def test_the_title_counts_most_and_the_text_least(
    client: httpx.AsyncClient, ann: Account
) -> None:
    await publish(client, ann, "In the text", body="Here are herons.")
    await publish(client, ann, "In the summary", summary="Herons", body="Here are birds.")
    await publish(client, ann, "Herons", body="Here are birds.")
    assert await titles(client, q="heron") == ["Herons", "In the summary", "In the text"]


async def test_what_a_post_says_now_is_found(client: httpx.AsyncClient, ann: Account) -> None:
    post = await publish(client, ann, "Boats")
    await change(client, ann, post, body="About herons")
    assert await titles(client, q="herons") == ["Boats"]
    await change(client, ann, post, status="draft")
    assert await titles(client, q="herons") == []
    await change(client, ann, post, title="Birds", status="published")
    assert await titles(client, q="boats") == []
    assert await titles(client, q="birds herons") == ["Birds"]
    await trash(client, ann, post)
    assert await titles(client, q="herons") == []
    await client.post(f"{POSTS}/{post['id']}/restore", headers=ann.headers)
    assert await titles(client, q="herons") == ["Birds"]


async def test_the_words_are_marked_in_safe_html(client: httpx.AsyncClient, ann: Account) -> None:
    body = "All *about* boats & <b>boats</b>, `<i>boat</i>` and [a boat](https://x.test/\"'>)."
    await publish(client, ann, "One", body=body)
    [post] = (await client.get(POSTS, params={"q": "boat"})).json()["items"]
    marked = post["highlight"]
    assert re.sub("</?mark>", "", marked).startswith("All about boats &amp; ")
    assert marked.count("<mark>") == marked.count("</mark>") >= 3
    assert not re.search("<(?!/?mark>)", marked)
    [plain] = (await client.get(POSTS)).json()["items"]
    assert plain == {name: post[name] for name in post if name != "highlight"}


async def test_full_texts_are_searched_too(client: httpx.AsyncClient, ann: Account) -> None:
    post = await publish(client, ann, "Boats", body="Of *oak*")
    [found] = (await client.get(POSTS, params={"q": "oak", "fields": "full"})).json()["items"]
    assert found == post | {"highlight": "Of <mark>oak</mark>"}


@pytest.mark.parametrize("sort", ["relevance", "newest", "oldest", "popular"])
async def test_pages_follow_one_another_while_posts_are_added(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, sort: str
) -> None:
    for number in range(7):
        body = "boats " * (number % 3 + 1) + "and other things " * (number % 2 + 1)
        await publish(client, ann, str(number), body=body)
        clock.advance(timedelta(minutes=1))
    whole = await titles(client, q="boats", sort=sort)
    assert sorted(whole) == list("0123456")
    url: str | None = f"{POSTS}?q=boats&sort={sort}&limit=2"
    found: list[str] = []
    while url:
        page = await client.get(url)
        found += [post["title"] for post in page.json()["items"]]
        url = page.links["next"]["url"] if page.links else None
        await publish(client, ann, f"later {len(found)}", body="boats")
    assert [title for title in found if not title.startswith("later")] == whole
    assert len(found) == len(set(found))


WRONG: list[tuple[dict[str, str], str]] = [
    ({"q": ""}, "text_empty"),
    ({"q": " "}, "text_empty"),
    ({"q": "x" * 201}, "text_too_long"),
    ({"q": "a\0b"}, "text_control_character"),
    ({"q": "\u200b"}, "text_invisible"),
    ({"q": "boat", "status": "draft"}, "unpublished_unknown"),
    ({"q": "boat", "status": "any", "sort": "newest"}, "unpublished_unknown"),
    ({"sort": "relevance"}, "relevance_without_words"),
    ({"sort": "best", "q": "boat"}, "not_a_choice"),
]


@pytest.mark.parametrize(("query", "kind"), WRONG)
async def test_a_search_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, ann: Account, query: dict[str, str], kind: str
) -> None:
    answer = await client.get(POSTS, params=query, headers=ann.headers)
    [error] = problem_of(answer, 422, "validation_error")["errors"]
    assert error["type"] == kind


HOSTILE = r"""
' " '' "" "a a"b ! !!! () (a a) a&b|!c a<->b a:* :* a:ABCD \\ \\' % _ ';DROP-- or - -- a- -"a 💥
<script>alert(1)</script> 日本語 مرحبا https://x.test/a?b=c#d a@b.c 1e400
""".split()  # noqa: SIM905 - a list of literals would take a page
HOSTILE += [*map(" ".join, zip(HOSTILE, reversed(HOSTILE), strict=True))]
HOSTILE += ["\u202fа", "\u0301a", "\ufdd0", "a" * 200, "a " * 100, "-a " * 66, "or a " * 40]


async def test_any_text_is_an_answer_or_refused(
    client: httpx.AsyncClient, ann: Account, library: None, subtests: pytest.Subtests
) -> None:
    for q in HOSTILE:
        with subtests.test(q):
            for sort in ("relevance", "newest"):
                answer = await client.get(POSTS, params={"q": q, "sort": sort})
                assert answer.status_code in {200, 422}, answer.text


@given(st.text(st.sampled_from("ab \"'-or&|!():*<>\\é") | st.characters(), max_size=30))
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_whatever_somebody_types(client: httpx.AsyncClient, q: str) -> None:
    answer = await client.get(POSTS, params={"q": q})
    assert answer.status_code in {200, 422}, answer.text


@given(st.text(max_size=60) | st.text(st.sampled_from("<>&\"'bmark/;#x3C" + START + END)))
def test_no_highlight_has_a_tag_but_its_marks(fragment: str) -> None:
    html = safe_highlight(fragment)
    assert not re.search("<(?!/?mark>)", html)
    assert not re.search("[\"'>]", html.replace("<mark>", "").replace("</mark>", ""))
