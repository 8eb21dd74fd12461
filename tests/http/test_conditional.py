"""ETag, If-None-Match and If-Match (RFC 9110, section 13)."""

import httpx
import pytest

from tests.support import Account, Accounts, problem_of

POST = {"title": "A post", "body": "Its text", "status": "published", "tags": ["b", "a"]}


@pytest.fixture
async def created(client: httpx.AsyncClient, ann: Account) -> httpx.Response:
    """The answer to a post just created."""
    return await client.post("/api/v1/posts", json=POST, headers=ann.headers)


async def test_writing_and_reading_give_one_document_and_one_tag(
    client: httpx.AsyncClient, ann: Account, created: httpx.Response
) -> None:
    path = created.headers["location"]
    read = await client.get(path, headers=ann.headers)
    assert (read.content, read.headers["etag"]) == (created.content, created.headers["etag"])
    changed = await client.patch(path, json={"title": "B", "tags": []}, headers=ann.headers)
    read = await client.get(path, headers=ann.headers)
    assert (read.content, read.headers["etag"]) == (changed.content, changed.headers["etag"])
    assert changed.headers["etag"] != created.headers["etag"]
    me = await client.patch("/api/v1/users/me", json={"bio": "x"}, headers=ann.headers)
    read = await client.get("/api/v1/users/me", headers=ann.headers)
    assert (read.content, read.headers["etag"]) == (me.content, me.headers["etag"])


async def test_a_tag_is_strong(created: httpx.Response) -> None:
    tag = created.headers["etag"]
    assert tag[0] == tag[-1] == '"'
    assert '"' not in tag[1:-1]


def rewritten(tag: str) -> list[str]:
    """What proxies that compress make of a tag."""
    endings = ("-gzip", "-br", "-zstd", "-deflate", "--gzip", "--br", ";gzip", ";br")
    changed = [f'{tag[:-1]}{ending}"' for ending in endings]
    return [f"W/{tag}", *changed, *(f"W/{other}" for other in changed)]


async def test_a_tag_that_a_compressing_proxy_rewrote_is_still_ours(
    client: httpx.AsyncClient,
    accounts: Accounts,
    ann: Account,
    created: httpx.Response,
    subtests: pytest.Subtests,
) -> None:
    await accounts.add("root", roles=("admin",))
    root = await accounts.sign_in("root")
    for path, headers in (
        (created.headers["location"], ann.headers),
        ("/api/v1/users/me", ann.headers),
        (f"/api/v1/users/{ann.id}", root.headers),
    ):
        tag = (await client.get(path, headers=headers)).headers["etag"]
        for condition in rewritten(tag):
            with subtests.test(f"{path} {condition}"):
                read = await client.get(path, headers=headers | {"If-None-Match": condition})
                assert (read.status_code, read.headers["etag"]) == (304, tag)
                written = await client.patch(
                    path, json={}, headers=headers | {"If-Match": condition}
                )
                assert written.status_code == 200


async def test_a_file_whose_tag_a_proxy_rewrote_is_not_sent_again(
    client: httpx.AsyncClient,
) -> None:
    path = "/docs/static/swagger-ui.css"
    tag = (await client.get(path)).headers["etag"]
    for condition in (tag, *rewritten(tag)):
        answer = await client.get(path, headers={"If-None-Match": condition})
        assert answer.status_code == 304
    assert (await client.get(path, headers={"If-None-Match": '"other-gzip"'})).status_code == 200


async def test_if_none_match(
    client: httpx.AsyncClient, created: httpx.Response, subtests: pytest.Subtests
) -> None:
    path, tag = created.headers["location"], created.headers["etag"]
    for condition, status in {
        tag: 304,
        f"W/{tag}": 304,
        f'"other", {tag}': 304,
        f'W/"other",{tag} , "more"': 304,
        "*": 304,
        " * ": 304,
        '"other"': 200,
        '"1"': 200,
        f'{tag[:-1]}-zip"': 200,
        f'{tag[:-1]}-gzip-br"': 200,
        f'{tag[:-1]}gzip"': 200,
        "": 200,
        "nonsense": 200,
        ",,,": 200,
    }.items():
        with subtests.test(condition):
            answer = await client.get(path, headers={"If-None-Match": condition})
            assert answer.status_code == status
            assert answer.headers["etag"] == tag
            assert answer.headers["cache-control"] == "private, no-cache"
            assert answer.headers["x-content-type-options"] == "nosniff"
            if status == 304:
                assert answer.content == b""
                assert "content-type" not in answer.headers


async def test_if_none_match_of_what_has_changed(
    client: httpx.AsyncClient, ann: Account, created: httpx.Response
) -> None:
    path, condition = created.headers["location"], {"If-None-Match": created.headers["etag"]}
    await client.patch(path, json={"title": "B"}, headers=ann.headers)
    answer = await client.get(path, headers=condition)
    assert answer.status_code == 200
    assert answer.json()["title"] == "B"


async def test_a_tag_changes_with_what_is_shown(
    client: httpx.AsyncClient, ann: Account, created: httpx.Response
) -> None:
    path, condition = created.headers["location"], {"If-None-Match": created.headers["etag"]}
    await client.patch("/api/v1/users/me", json={"display_name": "Anne"}, headers=ann.headers)
    answer = await client.get(path, headers=condition)
    assert answer.status_code == 200
    assert answer.json()["author"]["display_name"] == "Anne"


async def test_if_match_that_holds(
    client: httpx.AsyncClient, ann: Account, created: httpx.Response
) -> None:
    path, tag = created.headers["location"], created.headers["etag"]
    for template in ("{tag}", '"other", {tag}', '"other",{tag},"x"', "W/{tag}", "*"):
        headers = ann.headers | {"If-Match": template.format(tag=tag)}
        changed = await client.patch(path, json={"title": template}, headers=headers)
        assert (changed.status_code, changed.json()["title"]) == (200, template)
        tag = changed.headers["etag"]
    deleted = await client.delete(path, headers=ann.headers | {"If-Match": tag})
    assert deleted.status_code == 204


async def test_if_match_that_does_not_hold_changes_nothing(
    client: httpx.AsyncClient, ann: Account, created: httpx.Response, subtests: pytest.Subtests
) -> None:
    path = created.headers["location"]
    conditions = (
        '"other"',
        '"2-00000000"',
        '"2-00000000-gzip"',
        '"11-"',
        '"1-x"',
        '"1-00000000',
        '"1',
        "1",
        "nonsense",
        "",
    )
    for condition in conditions:
        with subtests.test(condition):
            headers = ann.headers | {"If-Match": condition}
            changed = await client.patch(path, json={"title": "B"}, headers=headers)
            problem_of(changed, 412, "precondition_failed")
            deleted = await client.delete(path, headers=headers)
            problem_of(deleted, 412, "precondition_failed")
    assert (await client.get(path)).content == created.content


async def test_the_second_of_two_editors_is_told(
    client: httpx.AsyncClient, ann: Account, created: httpx.Response
) -> None:
    path, read = created.headers["location"], ann.headers | {"If-Match": created.headers["etag"]}
    assert (await client.patch(path, json={"title": "B"}, headers=read)).status_code == 200
    problem_of(
        await client.patch(path, json={"title": "C"}, headers=read), 412, "precondition_failed"
    )
    me = await client.get("/api/v1/users/me", headers=ann.headers)
    read = ann.headers | {"If-Match": me.headers["etag"]}
    answers = [
        await client.patch("/api/v1/users/me", json={"bio": bio}, headers=read) for bio in "ab"
    ]
    assert [answer.status_code for answer in answers] == [200, 412]


async def test_if_match_on_what_one_may_not_see_is_404(
    client: httpx.AsyncClient, accounts: Accounts, created: httpx.Response
) -> None:
    bob = await accounts.sign_in("bob")
    headers = bob.headers | {"If-Match": '"other"'}
    answer = await client.patch(created.headers["location"], json={"title": "B"}, headers=headers)
    problem_of(answer, 404, "not_found")
