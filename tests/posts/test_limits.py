"""How long a field may be, and what text may hold; nothing else is stored."""

import json
from typing import Any

import httpx
import pytest

from tests.posts.support import POSTS, write
from tests.support import Account, problem_of, query

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("field", "least", "most"), [("title", 1, 200), ("body", 1, 100_000), ("summary", 0, 500)]
)
async def test_a_length_counts_characters(
    client: httpx.AsyncClient, ann: Account, field: str, least: int, most: int
) -> None:
    for letter in "xд💥":
        for length in (least, most):
            assert (await write(client, ann, **{field: letter * length}))[field] == letter * length
        for length in {max(0, least - 1), most + 1} - {least}:
            post = {"title": "A post", "body": "x"} | {field: letter * length}
            answer = await client.post(POSTS, json=post, headers=ann.headers)
            [error] = problem_of(answer, 422, "validation_error")["errors"]
            assert error["loc"] == ["body", field]
            assert error["type"] == ("text_too_long" if length else "text_empty")


async def test_a_body_keeps_every_character_that_is_text(
    client: httpx.AsyncClient, ann: Account
) -> None:
    text = "  a\nb\tc \u2067\u05d0\u2069 \u00e9 \ufeff 👩\u200d👧 \U0010fffd \ue000\n\n"
    post = await write(client, ann, body=text, summary=text)
    read = await client.get(f"{POSTS}/{post['id']}", headers=ann.headers)
    assert (read.json()["body"], read.json()["summary"]) == (text, text)


async def test_a_body_is_stored_in_one_form(client: httpx.AsyncClient, ann: Account) -> None:
    post = await write(client, ann, body="a\r\nb\rc\u2028e\u0301", summary="e\u0301\r\n")
    assert (post["body"], post["summary"]) == ("a\nb\nc\n\u00e9", "\u00e9\n")


@pytest.mark.parametrize("field", ["title", "body"])
async def test_what_shows_nothing_is_no_title_and_no_body(
    client: httpx.AsyncClient, ann: Account, field: str
) -> None:
    for text in ("", " \n ", "\u200b", "\u3164", "\u2800 ", "\u00ad\u2060", "\ue000"):
        post = {"title": "A post", "body": "x"} | {field: text}
        answer = await client.post(POSTS, json=post, headers=ann.headers)
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["body", field]
        assert error["type"] == ("text_invisible" if text.strip() else "text_empty")


async def test_markdown_that_shows_nothing_is_no_body(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann)
    for body in (
        "&nbsp;",
        "&#8203;&#x3164;",
        "> ",
        "-",
        "[](https://a.test)",
        "![]()",
        "![](data:image/png;base64,x)",
    ):
        for answer in (
            await client.post(POSTS, json={"title": "a", "body": body}, headers=ann.headers),
            await client.patch(f"{POSTS}/{post['id']}", json={"body": body}, headers=ann.headers),
        ):
            [error] = problem_of(answer, 422, "validation_error")["errors"]
            assert (error["loc"], error["type"]) == (["body", "body"], "text_invisible")
    for body in ("![](https://a.test/a.png)", "***", "`&nbsp;`"):
        await write(client, ann, body=body)


HOSTILE: list[dict[str, Any]] = [
    {"title": "a\0b"},
    {"body": "a\0b"},
    {"summary": "a\0b"},
    {"title": "a\r\nSet-Cookie: a=b"},
    {"title": "a\nb"},
    {"title": "a\u2029b"},
    {"title": "a\u202eb"},
    {"title": "\ud800"},
    {"body": "\udfff"},
    {"summary": "a\ud83d"},
    {"tags": ["\ud800"]},
    {"title": float("nan")},
    {"body": float("inf")},
    {"title": 10**300},
    {"title": True},
    {"title": ["a"]},
    {"title": None},
    {"body": {"$ne": None}},
    {"status": "deleted"},
    {"status": "scheduled\0"},
    {"status": None},
    {"status": 1},
    {"is_superuser": True},
    {"published_at": "2020-01-01T00:00:00Z"},
    {"deleted_at": None},
    {"\ud800": 1},
    {"__proto__": {}},
    {"title ": "a"},
    {"Title": "a"},
]


NOT_A_POST: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "application/json"),
    "deep": (b"[" * 100_000, "application/json"),
    "deep objects": (b'{"title": ' + b'{"a":' * 50_000, "application/json"),
    "cut": (b'{"title": "a", "body": "x", "body": ', "application/json"),
    "not UTF-8": (b'{"title": "a", "body": "\xff\xfe"}', "application/json"),
    "text": (b'{"title": "a", "body": "x"}', "text/plain"),
    "form": (b"title=a&body=x", "application/x-www-form-urlencoded"),
    "XML": (b"<post><title>a</title></post>", "application/xml"),
    "large": (b'{"title": "a", "body": "' + b"x" * 1_048_576 + b'"}', "application/json"),
}


async def test_what_cannot_be_stored_is_refused_and_nothing_stored(
    client: httpx.AsyncClient, ann: Account, database_url: str, subtests: pytest.Subtests
) -> None:
    post = await write(client, ann)
    path = f"{POSTS}/{post['id']}"
    for hostile in HOSTILE:
        with subtests.test(hostile=ascii(hostile)):
            sent = json.dumps({"title": "A post", "body": "x"} | hostile)
            created = await client.post(POSTS, content=sent, headers=ann.headers | JSON)
            problem_of(created, 422, "validation_error")
            sent = json.dumps(hostile)
            changed = await client.patch(path, content=sent, headers=ann.headers | JSON)
            problem_of(changed, 422, "validation_error")
    assert (await client.get(path, headers=ann.headers)).json() == post
    assert len(await query(database_url, "SELECT FROM posts")) == 1


async def test_a_body_that_is_no_post_is_refused_and_nothing_stored(
    client: httpx.AsyncClient, ann: Account, database_url: str, subtests: pytest.Subtests
) -> None:
    for kind, (body, content_type) in NOT_A_POST.items():
        with subtests.test(kind):
            headers = ann.headers | {"Content-Type": content_type}
            answer = await client.post(POSTS, content=body, headers=headers)
            assert answer.status_code in {400, 413, 415, 422}
            problem_of(answer, answer.status_code, answer.json()["code"])
    assert await query(database_url, "SELECT FROM posts") == []
