"""Who gets which username: nobody a reserved one, or one that was given up a while ago."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, update

from src.auth.passwords.hashing import PasswordHasher
from src.auth.tasks import SCHEDULES
from src.config import Settings
from src.users.models import User
from src.users.service import suggest_username
from src.users.usernames import HELD, hold, is_reserved
from tests.account.data import delete_account
from tests.auth.support import ME, REGISTER, change, code, confirm, register, rows, sign_in, whoami
from tests.support import PASSWORD, Account, Accounts, FrozenClock, Inbox, all_wait, job_context

TAKEN = (409, "username_taken")
RESERVED = (409, "username_reserved")
FREE = {"available": True, "reason": None}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with a further reserved name, and tokens that outlast the holds."""
    long = timedelta(days=60)
    return settings.model_copy(
        update={
            "reserved_usernames": ["Acme"],
            "access_token_lifetime": long,
            "session_idle_lifetime": long,
            "session_absolute_lifetime": long,
        }
    )


async def rename(client: httpx.AsyncClient, who: Account, username: str) -> httpx.Response:
    return await client.patch(ME, json={"username": username}, headers=who.headers)


async def ask(client: httpx.AsyncClient, username: str) -> object:
    answer = await client.get(f"/api/v1/usernames/{username}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def register_as(client: httpx.AsyncClient, username: str, email: str) -> httpx.Response:
    data = {"email": email, "password": PASSWORD, "username": username}
    return await client.post(REGISTER, json=data)


def divided(word: str) -> Iterator[str]:
    yield from (word, word.upper(), f"_{word}", f"{word}-", f"{word[:2]}-{word[2:]}")


@pytest.mark.parametrize("word", ["admin", "root", "support", "postmaster", "null", "acme"])
async def test_a_reserved_name_is_nobodys(
    client: httpx.AsyncClient, accounts: Accounts, word: str
) -> None:
    await accounts.add("known", roles=("admin",))
    known = await accounts.sign_in("known")
    for username in divided(word):
        for email in ("new@x.test", "known@x.test"):
            assert code(await register_as(client, username, email)) == RESERVED
        assert code(await rename(client, known, username)) == RESERVED
        assert await ask(client, username) == {"available": False, "reason": "reserved"}
    longer = f"{word}-of-the-day"
    assert await ask(client, longer) == FREE
    assert (await rename(client, known, longer)).json()["username"] == longer


async def test_who_has_a_name_that_was_reserved_later_keeps_it(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    root = await accounts.sign_in("root")
    answer = await client.patch(ME, json={"username": "root", "bio": "x"}, headers=root.headers)
    assert (answer.status_code, answer.json()["username"]) == (200, "root")


@pytest.mark.parametrize("name", ["Admin", "root", "S-u-p-p-o-r-t", "Me", None])
def test_no_suggestion_is_reserved(name: str | None) -> None:
    assert not is_reserved(suggest_username(name), [])


async def test_the_name_of_a_deleted_account_is_held_for_thirty_days(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, bob: Account, clock: FrozenClock
) -> None:
    await delete_account(client, ann)
    assert await rows(app, "SELECT user_id FROM held_usernames") == [None]
    assert "ann" not in "".join(await rows(app, "SELECT held::text FROM held_usernames AS held"))
    clock.advance(timedelta(days=30, microseconds=-1))
    assert await ask(client, "ann") == {"available": False, "reason": "taken"}
    for email in ("ann@x.test", "bob@x.test"):
        assert code(await register_as(client, "ann", email)) == TAKEN
    assert code(await rename(client, bob, "ann")) == TAKEN
    assert (await whoami(client, bob.access_token)).json()["username"] == "bob"
    clock.advance(timedelta(microseconds=1))
    assert await ask(client, "ann") == FREE
    assert (await rename(client, bob, "ann")).json()["username"] == "ann"


async def test_what_is_held_no_more_is_forgotten(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, clock: FrozenClock
) -> None:
    await delete_account(client, ann)
    clock.advance(HELD)
    [forget] = [one for one in SCHEDULES if one.name == "auth.forget_what_ended"]
    await forget.run(job_context(app))
    assert await rows(app, "SELECT digest FROM held_usernames") == []


async def test_a_name_is_held_against_who_waits_for_the_deletion(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, bob: Account, clock: FrozenClock
) -> None:
    async with app.state.database.independent_transaction() as session:
        await hold(session, "ann", None, clock.now())
        await session.execute(delete(User).where(User.username == "ann"))
        waiting = asyncio.create_task(rename(client, bob, "ann"))
        await all_wait(app, 1)
    assert code(await waiting) == TAKEN


async def test_who_takes_another_name_can_go_back_and_nobody_else_gets_it(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, bob: Account
) -> None:
    assert (await rename(client, ann, "anna")).status_code == 200
    assert code(await rename(client, bob, "ann")) == TAKEN
    assert code(await register_as(client, "ann", "new@x.test")) == TAKEN
    assert (await rename(client, ann, "ann")).json()["username"] == "ann"
    assert code(await rename(client, bob, "anna")) == TAKEN
    assert len(await rows(app, "SELECT digest FROM held_usernames")) == 1


async def test_nobody_keeps_names_by_going_through_them(
    client: httpx.AsyncClient, app: FastAPI, ann: Account, bob: Account
) -> None:
    for username in ("ann-1", "ann-2", "ann-3"):
        assert (await rename(client, ann, username)).status_code == 200
    assert len(await rows(app, "SELECT digest FROM held_usernames")) == 1
    assert code(await rename(client, bob, "ann-2")) == TAKEN
    assert (await rename(client, bob, "ann-1")).status_code == 200


async def test_a_deletion_leaves_the_name_before_held_too(
    client: httpx.AsyncClient, ann: Account, bob: Account
) -> None:
    await rename(client, ann, "anna")
    await delete_account(client, ann)
    for username in ("ann", "anna"):
        assert code(await rename(client, bob, username)) == TAKEN


async def test_of_two_who_registered_with_one_name_the_slower_is_told_in_their_profile(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    secrets = [await register(client, f"{n}@x.test", username="ann") for n in (1, 2)]
    assert await ask(client, "ann") == FREE  # nothing tells who is registering
    profiles, headers = [], {}
    for number, secret in enumerate(secrets, 1):
        token = await inbox.token(f"{number}@x.test")
        assert (await confirm(client, token, registration_secret=secret)).status_code == 204
        access = (await sign_in(client, f"{number}@x.test")).json()["access_token"]
        headers = {"Authorization": f"Bearer {access}"}
        profiles.append((await client.get(ME, headers=headers)).json())
    assert (profiles[0]["username"], profiles[0]["requested_username"]) == ("ann", None)
    assert profiles[1]["username"].startswith("user-")
    assert profiles[1]["requested_username"] == "ann"
    changed = await client.patch(ME, json={"bio": "x"}, headers=headers)
    assert changed.json()["requested_username"] == "ann"
    chosen = await client.patch(ME, json={"username": "ann-2"}, headers=headers)
    assert (chosen.json()["username"], chosen.json()["requested_username"]) == ("ann-2", None)


async def test_the_suggested_name_can_be_kept(
    client: httpx.AsyncClient, app: FastAPI, ann: Account
) -> None:
    await change(app, update(User).values(requested_username="anna"))
    assert (await rename(client, ann, "ann")).json()["requested_username"] is None


async def test_a_name_that_is_held_is_not_got_by_a_registration_from_before(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox, clock: FrozenClock
) -> None:
    secret = await register(client, "new@x.test", username="ann")
    async with app.state.database.independent_transaction() as session:
        await hold(session, "ann", None, clock.now())
    token = await inbox.token("new@x.test")
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204
    access = (await sign_in(client, "new@x.test")).json()["access_token"]
    me = (await whoami(client, access)).json()
    assert (me["username"] == "ann", me["requested_username"]) == (False, "ann")


async def test_what_is_no_username_is_said_and_what_somebody_has_too(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("off", active=False)
    await accounts.add("ann")
    for username in ("ab", "a b", "ännchen", "a" * 33, "a@x.test"):
        assert await ask(client, username) == {"available": False, "reason": "invalid"}
    for username in ("ann", "ANN", "off"):
        assert await ask(client, username) == {"available": False, "reason": "taken"}
    assert await ask(client, "anna") == FREE
    too_long = await client.get(f"/api/v1/usernames/{'a' * 201}")
    assert code(too_long) == (422, "validation_error")


class TestWithoutConfirmation:
    """Where an account has its name from the start."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"require_confirmed_email": False})

    async def test_a_name_given_up_while_somebody_registers_is_held_against_them(
        self,
        client: httpx.AsyncClient,
        app: FastAPI,
        clock: FrozenClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        hash_password = PasswordHasher.hash_for

        async def meanwhile(hasher: PasswordHasher, email: str, password: str) -> str:
            async with app.state.database.independent_transaction() as session:
                await hold(session, "ann", None, clock.now())
            return await hash_password(hasher, email, password)

        monkeypatch.setattr(PasswordHasher, "hash_for", meanwhile)
        assert code(await register_as(client, "ann", "new@x.test")) == TAKEN
        assert await rows(app, "SELECT id FROM users") == []
