"""Another user's post: what one may not see or change looks like what is not there."""

from typing import Any

import httpx
import pytest

from tests.posts.support import POSTS, write
from tests.support import Account, problem_of

NOWHERE = "01890000-0000-7000-8000-000000000000"


def like_missing(answer: httpx.Response, missing: httpx.Response) -> None:
    """Both answers are the same 404, but for the address and the request's id."""
    found, absent = problem_of(answer, 404, "not_found"), problem_of(missing, 404, "not_found")
    for problem in (found, absent):
        del problem["instance"], problem["request_id"]
    assert found == absent
    assert set(answer.headers) == set(missing.headers)


@pytest.mark.parametrize("status", ["draft", "published"])
@pytest.mark.parametrize(("method", "json"), [("PATCH", {"title": "Mine"}), ("DELETE", None)])
async def test_nobody_changes_the_post_of_another(
    client: httpx.AsyncClient,
    ann: Account,
    bob: Account,
    method: str,
    json: Any,
    status: str,
) -> None:
    post = await write(client, ann, status=status)
    missing = await client.request(method, f"{POSTS}/{NOWHERE}", json=json, headers=bob.headers)
    for path in (f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}"):
        answer = await client.request(method, path, json=json, headers=bob.headers)
        like_missing(answer, missing)
        problem_of(await client.request(method, path, json=json), 401, "not_authenticated")
        assert (await client.get(path, headers=ann.headers)).json() == post


async def test_a_post_is_changed_and_deleted_by_its_slug_as_it_is_read(
    client: httpx.AsyncClient, ann: Account
) -> None:
    post = await write(client, ann, title="Новости")
    path = f"{POSTS}/{post['slug']}"
    changed = await client.patch(path, json={"title": "Old news"}, headers=ann.headers)
    assert (changed.status_code, changed.json()["id"]) == (200, post["id"])
    assert (await client.get(path, headers=ann.headers)).status_code == 301
    path = f"{POSTS}/{changed.json()['slug']}"
    assert (await client.get(path, headers=ann.headers)).json() == changed.json()
    assert (await client.delete(path, headers=ann.headers)).status_code == 204
    problem_of(await client.get(path, headers=ann.headers), 404, "not_found")


async def test_nobody_reads_the_draft_of_another(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    post = await write(client, ann, title="Private plans")
    missing = await client.get(f"{POSTS}/{NOWHERE}")
    for key in (post["id"], post["slug"]):
        for headers in ({}, bob.headers):
            answer = await client.get(f"{POSTS}/{key}", headers=headers)
            like_missing(answer, missing)
        assert (await client.get(f"{POSTS}/{key}", headers=ann.headers)).json() == post


async def test_a_condition_tells_nothing_about_the_draft_of_another(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    post = await write(client, ann)
    for headers in ({"If-None-Match": "*"}, {"If-Match": '"other"'}):
        answer = await client.get(f"{POSTS}/{post['id']}", headers=bob.headers | headers)
        problem_of(answer, 404, "not_found")


@pytest.mark.parametrize("field", ["author_id", "author", "id", "version", "body_html"])
async def test_what_the_server_decides_cannot_be_sent(
    client: httpx.AsyncClient, ann: Account, bob: Account, field: str
) -> None:
    post = await write(client, ann)
    for method, path in (("POST", POSTS), ("PATCH", f"{POSTS}/{post['id']}")):
        sent = {"title": "A post", "body": "x", field: bob.id}
        answer = await client.request(method, path, json=sent, headers=ann.headers)
        [error] = problem_of(answer, 422, "validation_error")["errors"]
        assert error["loc"] == ["body", field]


@pytest.mark.parametrize("key", ["none", "%20", "%00", "..", "%2e%2e%2f", "\u00e9", "a" * 200])
async def test_any_other_key_is_missing(client: httpx.AsyncClient, ann: Account, key: str) -> None:
    for method, json in (("GET", None), ("PATCH", {"title": "B"}), ("DELETE", None)):
        url = f"{POSTS}/{key}"
        answer = await client.request(method, url, json=json, headers=ann.headers)
        assert answer.status_code in {404, 405, 422}, method
        problem_of(answer, answer.status_code, answer.json()["code"])
