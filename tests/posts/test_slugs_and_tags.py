"""What a post is found by: slugs in ASCII, tags in one spelling."""

import re
from unicodedata import normalize
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from src.posts.models import Post, PostSlug
from src.posts.slugs.rules import slug_stem
from src.posts.tags.rules import normalize_tag
from tests.posts.support import POSTS, change, write
from tests.support import Account, problem_of


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("Hello, World!", "hello-world"),
        ("  C++ & Python 3.11 -- a tale  ", "c-python-3-11-a-tale"),
        ("Привет, мир", "privet-mir"),
        ("日本語 タイトル", "ribenyu-taitoru"),
        ("Ünïcödé", "unicode"),
        ("u\u0308mlaut", "umlaut"),
        ("ＦＵＬＬ width", "full-width"),
        ("مرحبا بالعالم", "mrhb-bllm"),
        ("हिन्दी भाषा", "hindi-bhasa"),
        ("สวัสดี", "swasdi"),
        ("snake_case/path?query#x", "snake-case-path-query-x"),
        ("I ❤️ Plaza", "i-plaza"),
        ("Straße, Łódź", "strasse-lodz"),
        ("1️⃣ \u3164x\U000e0041", "1-x"),
        ("💥 ... 💥", "post"),
        ("!!!", "post"),
        ("-", "post"),
        ("x" * 200, "x" * 80),
        (f"{'x' * 79} y", "x" * 79),
        ("ﷺ" * 100, None),
        ("Stream", "post-stream"),
        ("0190A0B1-0000-7000-8000-000000000000", "post-0190a0b1-0000-7000-8000-000000000000"),
    ],
)
def test_a_slug_is_made_of_the_letters_and_digits_of_the_title(
    title: str, stem: str | None
) -> None:
    slug = slug_stem(title)
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", slug)
    assert stem is None or slug == stem
    assert len(slug) <= 80


async def test_a_post_is_found_by_its_slug(
    client: httpx.AsyncClient, ann: Account, subtests: pytest.Subtests
) -> None:
    for title in (
        "Hello",
        "Привет, мир",
        "!!!",
        "हिन्दी",
        "deadbeefdeadbeefdeadbeef",
        "1234 5678 9012 3456 7890 1234",
        "me",
        "%2F..",
    ):
        with subtests.test(title):
            post = await write(client, ann, title=title, status="published")
            for key in (post["slug"], post["id"], post["id"].upper()):
                assert (await client.get(f"{POSTS}/{key}")).json() == post


async def test_an_older_slug_is_found_in_any_form(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    post = await write(client, ann, status="published")
    slug = "caf\u00e9-\u0439-i-\ufe0f-plaza-0123abcd"
    async with app.state.database.independent_transaction() as session:
        await session.execute(update(Post).values(slug=slug))
        await session.execute(update(PostSlug).values(slug=slug))
    for form in (slug, normalize("NFD", slug), slug.upper()):
        found = await client.get(f"{POSTS}/{quote(form)}")
        assert found.json()["id"] == post["id"], form
    assert (await client.get(f"{POSTS}/{quote('cafe-' + slug)}")).status_code == 404


TAGS: list[tuple[list[str], list[str]]] = [
    ([], []),
    (["Python"], ["python"]),
    ([" a ", "A", "a"], ["a"]),
    (["b", "a", "B"], ["b", "a"]),
    (["C++", "c#", "node.js", "ci-cd"], ["c++", "c#", "node.js", "ci-cd"]),
    (["snake_case"], ["snake_case"]),
    (["Кино", "日本"], ["кино", "日本"]),
    (["café", "cafe\u0301", "CAFÉ"], ["café"]),
    (["हिन्दी"], ["हिन्दी"]),
    (["Ｐｙ３", "py3", "ﬁn"], ["py3", "fin"]),
    (["straße", "ΣΊΣΥΦΟΣ", "Й", "и\u0306"], ["straße", "σίσυφος", "й"]),
    (["e\u0301" * 40], ["é" * 40]),
    (["x" * 40], ["x" * 40]),
]
WRONG_TAGS: list[object] = [
    [""],
    [" "],
    ["a b"],
    ["a,b"],
    ["-a"],
    ["#a"],
    ["\u200b"],
    ["a\u200b"],
    ["\u3164"],
    ["a\ufe0f"],
    ["\u0301"],
    ["a" + "\u0301" * 10],
    ["💥"],
    ["a\nb"],
    ["a\0"],
    ["<b>"],
    ["x" * 41],
    [f"t{number}" for number in range(11)],
    ["a"] * 11,
    [1],
    [None],
    ["a", ["b"]],
    "a",
    {"a": 1},
    None,
]


async def test_tags_are_stored_in_one_spelling_once_each(
    client: httpx.AsyncClient, ann: Account, subtests: pytest.Subtests
) -> None:
    for tags, stored in TAGS:
        with subtests.test(tags=tags):
            post = await write(client, ann, tags=tags)
            assert post["tags"] == stored
            await change(client, ann, post, tags=["other"])
            assert (await change(client, ann, post, tags=tags))["tags"] == stored


async def test_another_tag_is_refused(
    client: httpx.AsyncClient, ann: Account, subtests: pytest.Subtests
) -> None:
    for tags in WRONG_TAGS:
        with subtests.test(tags=tags):
            post = {"title": "A post", "body": "x", "tags": tags}
            answer = await client.post(POSTS, json=post, headers=ann.headers)
            for error in problem_of(answer, 422, "validation_error")["errors"]:
                assert error["loc"][:2] == ["body", "tags"]


async def test_a_tag_is_found_in_any_form(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, tags=["Café"], status="published")
    for tag in ("café", "cafe\u0301", "CAFÉ", " Cafe\u0301 ", "ＣＡＦÉ"):
        found = await client.get(POSTS, params={"tag": tag})
        assert [item["id"] for item in found.json()["items"]] == [post["id"]], tag
    assert (await client.get(POSTS, params={"tag": "cafe"})).json()["items"] == []


@given(st.text(max_size=12) | st.text(st.characters(categories=["L", "M", "N"]), max_size=6))
def test_the_form_of_a_tag_is_stable(text: str) -> None:
    if tag := normalize_tag(text):
        assert normalize_tag(tag) == tag
        assert normalize_tag(normalize("NFD", tag)) == tag
