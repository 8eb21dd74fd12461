"""Requests at once that lock the same rows: they wait for each other, and none is in a circle."""

import asyncio
from collections.abc import Sequence
from functools import partial

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.config import Settings
from src.users.models import User
from tests.account.support import change_email
from tests.administration.support import change
from tests.auth.support import CONFIRM, ME
from tests.auth.support import change as execute
from tests.support import PASSWORD, Account, Accounts, Inbox

POSTS = "/api/v1/posts"


def assert_no_deadlock(answers: Sequence[httpx.Response]) -> None:
    """PostgreSQL ends one of those who wait in a circle, which is answered so."""
    assert [answer.text for answer in answers if "collided" in answer.text] == []


async def test_administrators_who_demote_each_other(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    names = ["one", "two", "three"]
    for name in names:
        await accounts.add(name, roles=("admin",))
    admins = [await accounts.sign_in(name) for name in names]
    for _ in range(6):
        everybody = update(User).where(User.username.in_(names))
        await execute(app, everybody.values(is_active=True, roles=["admin"]))
        answers = await asyncio.gather(
            *(
                change(client, by, whom.id, roles=[])
                for by in admins
                for whom in admins
                for _ in range(5)
                if by is not whom
            )
        )
        assert_no_deadlock(answers)
        assert {answer.status_code for answer in answers} <= {200, 403, 409}


async def send_json(
    client: httpx.AsyncClient, account: Account, method: str, path: str, **body: object
) -> httpx.Response:
    """A request of a user."""
    return await client.request(method, path, json=body, headers=account.headers)


async def test_an_account_that_is_deleted_while_it_publishes(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    for number in range(8):
        ann = await accounts.sign_in(f"ann-{number}")

        send = partial(send_json, client, ann)

        post = {"title": "Herons", "body": "In the shallows"}
        drafts = [(await send("POST", POSTS, **post)).json()["id"] for _ in range(8)]
        answers = await asyncio.gather(
            *(send("PATCH", f"{POSTS}/{draft}", status="published") for draft in drafts[:4]),
            *(send("POST", POSTS, **post, status="published") for _ in range(6)),
            send("DELETE", ME, current_password=PASSWORD),
            *(send("PATCH", f"{POSTS}/{draft}", status="published") for draft in drafts[4:]),
            *(send("DELETE", f"{POSTS}/{draft}") for draft in drafts),
        )
        assert_no_deadlock(answers)
        assert answers[10].status_code == 204


async def test_accounts_that_are_deleted_while_they_like_each_others_posts(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    for turn in range(4):
        people = [await accounts.sign_in(f"{name}-{turn}") for name in ("ann", "bob", "eve")]
        sends = [partial(send_json, client, one) for one in people]
        post = {"title": "Herons", "body": "In the shallows", "status": "published"}
        posts = []
        for number in range(6):
            tags = ["a", "b", "c"] if number % 2 else ["c", "b", "a"]
            written = await sends[number % 3]("POST", POSTS, **post, tags=tags)
            posts.append(f"{POSTS}/{written.json()['id']}")
        for send in sends:
            for path in posts:
                await send("PUT", f"{path}/like")
        answers = await asyncio.gather(
            *(
                send(method, f"{path}/like")
                for send in sends
                for path in posts
                for method in ("DELETE", "PUT")
            ),
            *(send("PATCH", path, tags=["d", "b"]) for send in sends for path in posts),
            *(send("DELETE", ME, current_password=PASSWORD) for send in sends),
            *(
                send(method, f"{path}/{what}")
                for send in sends
                for path in posts
                for method in ("PUT", "DELETE")
                for what in ("like", "bookmark")
            ),
            *(send("DELETE", path) for send in sends for path in posts),
        )
        assert_no_deadlock(answers)
        assert {answer.status_code for answer in answers} <= {200, 204, 401, 404, 409}


class TestUnconfirmed:
    """Accounts may be used before their addresses are confirmed."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"require_confirmed_email": False})

    async def test_two_who_take_each_others_address(
        self, client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
    ) -> None:
        for number in range(3):
            both = [f"ann-{number}", f"bob-{number}"]
            for name in both:
                await accounts.add(name, confirmed=False)
            ann, bob = [await accounts.sign_in(name) for name in both]
            changes = []
            for account, other in ((ann, bob), (bob, ann)):
                await change_email(client, account, f"{other.username}@x.test")
                token = await inbox.token(f"{other.username}@x.test")
                changes.append(client.post(CONFIRM, json={"token": token}, headers=account.headers))
            answers = await asyncio.gather(*changes)
            assert_no_deadlock(answers)
            # Whoever is second has lost their account to the one who receives its mail.
            assert sorted(answer.status_code for answer in answers) in ([204, 400], [204, 401])
