"""What a post is found by: slugs in any script, tags in one spelling."""

import re

import httpx
import pytest

from src.posts.slugs import new_slug
from tests.core.support import problem_of
from tests.posts.support import POSTS, change, write
from tests.support import Account


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("Hello, World!", "hello-world"),
        ("  C++ & Python 3.11 -- a tale  ", "c-python-3-11-a-tale"),
        ("Привет, мир", "привет-мир"),
        ("日本語 タイトル", "日本語-タイトル"),
        ("Ünïcödé", "ünïcödé"),
        ("u\u0308mlaut", "ümlaut"),
        ("ＦＵＬＬ width", "full-width"),
        ("مرحبا بالعالم", "مرحبا-بالعالم"),
        ("हिन्दी भाषा", "हिन्दी-भाषा"),
        ("สวัสดี", "สวัสดี"),
        ("snake_case/path?query#x", "snake-case-path-query-x"),
        ("💥 ... 💥", "post"),
        ("!!!", "post"),
        ("-", "post"),
        ("x" * 200, "x" * 80),
        ("ﷺ" * 100, None),
    ],
)
def test_a_slug_is_made_of_the_letters_and_digits_of_the_title(
    title: str, stem: str | None
) -> None:
    found = re.fullmatch(r"(.+)-[0-9a-f]{8}", new_slug(title))
    assert found
    assert stem is None or found[1] == stem
    assert len(found[0]) <= 100


def test_two_posts_of_one_title_have_two_slugs() -> None:
    assert len({new_slug("Hello") for _ in range(100)}) == 100


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


async def test_links_keep_working_when_the_title_changes(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann, title="Before", status="published")
    changed = await change(client, ann, post, title="After")
    assert changed["slug"] == post["slug"]
    assert (await client.get(f"{POSTS}/{post['slug']}")).json() == changed


TAGS: list[tuple[list[str], list[str]]] = [
    ([], []),
    (["Python"], ["python"]),
    ([" a ", "A", "a"], ["a"]),
    (["b", "a", "B"], ["b", "a"]),
    (["C++", "c#", "node.js", "ci-cd"], ["c++", "c#", "node.js", "ci-cd"]),
    (["snake_case"], ["snake_case"]),
    (["Кино", "日本"], ["кино", "日本"]),
    (["x" * 40], ["x" * 40]),
]
WRONG_TAGS: list[object] = [
    [""],
    [" "],
    ["a b"],
    ["a,b"],
    ["-a"],
    ["#a"],
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
    for given, stored in TAGS:
        with subtests.test(given=given):
            post = await write(client, ann, tags=given)
            assert post["tags"] == stored
            await change(client, ann, post, tags=["other"])
            assert (await change(client, ann, post, tags=given))["tags"] == stored


async def test_another_tag_is_refused(
    client: httpx.AsyncClient, ann: Account, subtests: pytest.Subtests
) -> None:
    for tags in WRONG_TAGS:
        with subtests.test(tags=tags):
            post = {"title": "A post", "body": "x", "tags": tags}
            answer = await client.post(POSTS, json=post, headers=ann.headers)
            for error in problem_of(answer, 422, "validation_error")["errors"]:
                assert error["loc"][:2] == ["body", "tags"]
