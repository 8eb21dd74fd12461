"""Following and blocking: who does, who is shown, and how many there are."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.conftest import execute
from tests.posts.support import POSTS, titles, write
from tests.support import PASSWORD, Account, Accounts, FrozenClock, problem_of

USERS = "/api/v1/users"


async def act(client: httpx.AsyncClient, me: Account, method: str, path: str) -> None:
    """A request that answers with nothing."""
    answer = await client.request(method, f"{USERS}/{path}", headers=me.headers)
    assert (answer.status_code, answer.content) == (204, b""), answer.text


async def names(
    client: httpx.AsyncClient, path: str, me: Account | None = None, **parameters: Any
) -> list[str]:
    """The usernames of a list."""
    headers = me.headers if me else {}
    answer = await client.get(f"{USERS}/{path}", params=parameters, headers=headers)
    assert answer.status_code == 200, answer.text
    return [user["username"] for user in answer.json()["items"]]


async def profile(
    client: httpx.AsyncClient, username: str, me: Account | None = None
) -> tuple[int, int, bool]:
    """How many follow, are followed, and whether the caller does."""
    headers = me.headers if me else {}
    found = (await client.get(f"{USERS}/{username}", headers=headers)).json()
    return found["followers_count"], found["following_count"], found["following"]


async def test_following_is_counted_once(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    for _ in range(2):
        await act(client, ann, "PUT", "bob/follow")
    assert await profile(client, "bob", ann) == (1, 0, True)
    assert await profile(client, "bob", bob) == (1, 0, False)
    assert await profile(client, "ann") == (0, 1, False)
    assert await names(client, "bob/followers") == ["ann"]
    assert await names(client, "ann/following") == ["bob"]
    assert await names(client, "bob/following") == []
    for _ in range(2):
        await act(client, ann, "DELETE", "BOB/follow")
    assert await profile(client, "bob", ann) == (0, 0, False)


async def test_the_latest_come_first_page_by_page(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, clock: FrozenClock
) -> None:
    for number in range(5):
        one = await accounts.sign_in(f"user-{number}")
        await act(client, one, "PUT", "ann/follow")
        clock.advance(timedelta(seconds=1))
    url: str | None = f"{USERS}/ann/followers?limit=2"
    pages = []
    while url:
        answer = await client.get(url)
        pages.append([user["username"][-1] for user in answer.json()["items"]])
        url = answer.links.get("next", {}).get("url")
    assert pages == [["4", "3"], ["2", "1"], ["0"]]


@pytest.mark.parametrize("what", ["follow", "block"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_nobody_does_it_to_themselves_or_to_nobody(
    client: httpx.AsyncClient, ann: Account, what: str, method: str
) -> None:
    own = await client.request(method, f"{USERS}/Ann/{what}", headers=ann.headers)
    problem_of(own, 409, "oneself")
    for name in ("nobody", "me", "%00", "a%2Fb", "x" * 64, "';--"):
        answer = await client.request(method, f"{USERS}/{name}/{what}", headers=ann.headers)
        assert answer.status_code in {404, 422}, name
    problem_of(await client.request(method, f"{USERS}/ann/{what}"), 401, "not_authenticated")


async def test_at_once_the_counts_are_right(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, bob: Account
) -> None:
    people = [ann, bob, *[await accounts.sign_in(f"user-{number}") for number in range(4)]]
    await asyncio.gather(
        *(
            client.request(method, f"{USERS}/{whom.username}/follow", headers=one.headers)
            for method in ("PUT", "DELETE", "PUT", "PUT", "DELETE")
            for one in people
            for whom in people
            if one is not whom
        )
    )
    for one in people:
        followers, following, _ = await profile(client, one.username)
        assert followers == len(await names(client, f"{one.username}/followers"))
        assert following == len(await names(client, f"{one.username}/following"))


async def test_accounts_that_are_deleted_leave_the_counts_of_others_right(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account
) -> None:
    people = [await accounts.sign_in(f"user-{number}") for number in range(5)]
    everybody = [ann, *people]
    for one in everybody:
        for whom in everybody:
            if one is not whom:
                await act(client, one, "PUT", f"{whom.username}/follow")
    assert await profile(client, "ann") == (5, 5, False)
    answers = await asyncio.gather(
        *(
            client.request(
                "DELETE", f"{USERS}/me", json={"current_password": PASSWORD}, headers=one.headers
            )
            for one in people[1:]
        ),
        *(client.put(f"{USERS}/{one.username}/follow", headers=ann.headers) for one in people[1:]),
    )
    assert {answer.status_code for answer in answers[:4]} == {204}
    assert "collided" not in " ".join(answer.text for answer in answers)
    assert await profile(client, "ann") == (1, 1, False)
    assert await profile(client, "user-0") == (1, 1, False)


async def test_one_can_follow_so_many(
    client: httpx.AsyncClient, ann: Account, bob: Account, database_url: str
) -> None:
    await execute(
        database_url,
        "INSERT INTO follow_counts SELECT id, 0, 5000 FROM users WHERE username = 'ann'",
    )
    answer = await client.put(f"{USERS}/bob/follow", headers=ann.headers)
    problem_of(answer, 409, "too_many_follows")
    assert await names(client, "bob/followers") == []


async def test_those_who_block_see_nothing_of_each_other(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    post = await write(client, bob, title="Of Bob", status="published")
    await write(client, ann, title="Of Ann", status="published")
    await act(client, ann, "PUT", "bob/follow")
    await act(client, bob, "PUT", "ann/follow")
    await client.put(f"{POSTS}/{post['id']}/bookmark", headers=ann.headers)
    for _ in range(2):
        await act(client, ann, "PUT", "bob/block")
    assert await names(client, "me/blocks", ann) == ["bob"]
    assert await names(client, "me/blocks", bob) == []
    assert await profile(client, "bob") == (0, 0, False)
    assert await profile(client, "ann") == (0, 0, False)
    for me, other, mine in ((ann, "bob", "Of Ann"), (bob, "ann", "Of Bob")):
        for path in (other, f"{other}/followers", f"{other}/following"):
            problem_of(await client.get(f"{USERS}/{path}", headers=me.headers), 404, "not_found")
        follow = await client.put(f"{USERS}/{other}/follow", headers=me.headers)
        problem_of(follow, 404, "not_found")
        assert await titles(client, me) == [mine]
        assert await titles(client, me, author=other) == []
        assert await titles(client, me, q="bob ann or of") == []
        for sort in ("relevance", "newest", "popular"):
            assert await titles(client, me, q=other, sort=sort) == []
            assert await titles(client, None, q=other, sort=sort) == [f"Of {other.title()}"]
    for name in (post["id"], post["slug"]):
        path = f"{POSTS}/{name}"
        problem_of(await client.get(path, headers=ann.headers), 404, "not_found")
        problem_of(await client.put(f"{path}/like", headers=ann.headers), 404, "not_found")
        assert (await client.get(path)).status_code == 200
    bookmarks = await client.get(f"{USERS}/me/bookmarks", headers=ann.headers)
    assert bookmarks.json()["items"] == []
    await act(client, ann, "DELETE", "bob/block")
    assert await titles(client, ann) == ["Of Ann", "Of Bob"]
    bookmarks = await client.get(f"{USERS}/me/bookmarks", headers=ann.headers)
    assert [item["id"] for item in bookmarks.json()["items"]] == [post["id"]]
    assert await profile(client, "bob", ann) == (0, 0, False)


async def test_lists_leave_out_those_who_are_blocked_or_not_active(
    client: httpx.AsyncClient, accounts: Accounts, ann: Account, bob: Account, database_url: str
) -> None:
    eve = await accounts.sign_in("eve")
    for one in (ann, bob):
        await act(client, one, "PUT", "eve/follow")
        await act(client, eve, "PUT", f"{one.username}/follow")
    await act(client, ann, "PUT", "bob/block")
    for path in ("eve/followers", "eve/following"):
        assert sorted(await names(client, path, eve)) == ["ann", "bob"]
        assert await names(client, path, ann) == ["ann"]
        assert await names(client, path, bob) == ["bob"]
    await execute(database_url, "UPDATE users SET is_active = false WHERE username = 'bob'")
    assert await names(client, "eve/followers") == ["ann"]
    problem_of(await client.get(f"{USERS}/bob/followers"), 404, "not_found")


async def test_a_block_and_a_follow_at_once_leave_no_follow(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    for _ in range(5):
        await asyncio.gather(
            *(
                client.request("PUT", f"{USERS}/{path}", headers=me.headers)
                for me, path in ((ann, "bob/follow"), (bob, "ann/block"), (ann, "bob/follow"))
            )
        )
        assert await names(client, "bob/followers") == []
        await act(client, bob, "DELETE", "ann/block")


async def test_both_are_part_of_the_export(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, ann: Account, bob: Account
) -> None:
    eve = await accounts.sign_in("eve")
    await act(client, ann, "PUT", "bob/follow")
    await act(client, ann, "PUT", "eve/block")
    export = (await client.get(f"{USERS}/me/export", headers=ann.headers)).json()
    assert [row["user_id"] for row in export["follows"]] == [bob.id]
    assert [row["user_id"] for row in export["blocks"]] == [eve.id]
    others = (await client.get(f"{USERS}/me/export", headers=eve.headers)).json()
    assert (others["follows"], others["blocks"]) == ([], [])
