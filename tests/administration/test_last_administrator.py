"""The last administrator stays, however many try at once."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.users.models import User
from tests.administration.support import change, read, users
from tests.auth.support import ME
from tests.auth.support import change as execute
from tests.support import PASSWORD, Account, Accounts, problem_of

LOSSES: list[dict[str, object]] = [
    {"is_active": False},
    {"roles": []},
    {"roles": ["moderator"]},
    {"is_active": False, "roles": ["admin"]},
    {"is_active": True, "roles": []},
]


@pytest.mark.parametrize("loss", LOSSES)
async def test_the_only_one_cannot_go(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, loss: dict[str, object]
) -> None:
    await accounts.add("disabled", active=False, roles=("admin",))
    await accounts.add("mod", roles=("moderator",))
    before = (await read(client, admin, admin.id)).json()
    problem_of(await change(client, admin, admin.id, **loss), 409, "last_administrator")
    assert (await read(client, admin, admin.id)).json() == before
    kept = await change(client, admin, admin.id, is_active=True, roles=["admin", "moderator"])
    assert kept.status_code == 200


@pytest.mark.parametrize("loss", LOSSES)
async def test_one_of_two_can_go_and_the_other_stays(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, loss: dict[str, object]
) -> None:
    second = str((await accounts.add("second", roles=("admin",))).id)
    assert (await change(client, admin, second, **loss)).status_code == 200
    problem_of(await change(client, admin, admin.id, **loss), 409, "last_administrator")


async def test_others_come_and_go_beside_the_only_one(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account, ann: Account
) -> None:
    disabled = str((await accounts.add("disabled", active=False, roles=("admin",))).id)
    assert (await change(client, admin, disabled, roles=[])).status_code == 200
    for loss in LOSSES:
        assert (await change(client, admin, ann.id, **loss)).status_code == 200


@pytest.mark.parametrize("loss", LOSSES)
async def test_two_who_remove_each_other_at_once_are_not_both_gone(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    admin: Account,
    loss: dict[str, object],
) -> None:
    await accounts.add("second", roles=("admin",))
    both = update(User).where(User.username.in_(["admin", "second"]))
    for _ in range(5):
        await execute(app, both.values(is_active=True, roles=["admin"]))
        first, second = await accounts.sign_in("admin"), await accounts.sign_in("second")
        answers = await asyncio.gather(
            change(client, first, second.id, **loss), change(client, second, first.id, **loss)
        )
        statuses = sorted(answer.status_code for answer in answers)
        # The one who came late may be signed out before they are heard.
        assert statuses in ([200, 401], [200, 403], [200, 409]), statuses
        winner = first if answers[0].status_code == 200 else second
        assert await users(client, winner, role="admin", is_active="true") == [winner.username]


async def test_one_who_goes_and_removes_the_other_at_once_does_one_of_both(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account
) -> None:
    for number in range(3):
        leaving = await accounts.add(f"leaving-{number}", roles=("admin",))
        first = await accounts.sign_in(leaving.username)
        goodbye = client.request(
            "DELETE", ME, json={"current_password": PASSWORD}, headers=first.headers
        )
        answers = await asyncio.gather(goodbye, change(client, first, admin.id, roles=[]))
        left = await _administrators(accounts)
        assert len(left) == 1, [answer.text for answer in answers]
        await execute(accounts.app, update(User).values(roles=["admin"]))


async def test_ten_who_go_at_once_leave_one(
    client: httpx.AsyncClient, accounts: Accounts, admin: Account
) -> None:
    ten = [admin]
    for number in range(9):
        await accounts.add(f"admin-{number}", roles=("admin",))
        ten.append(await accounts.sign_in(f"admin-{number}"))
    answers = await asyncio.gather(*(change(client, one, one.id, roles=[]) for one in ten))
    gone = [answer for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer not in gone:
            problem_of(answer, 409, "last_administrator")
    [left] = await _administrators(accounts)
    assert left not in {answer.json()["username"] for answer in gone}


async def _administrators(accounts: Accounts) -> list[str]:
    found = await accounts.app.state.database.reads.fetch(
        "SELECT username FROM users WHERE is_active AND roles @> '{admin}'", []
    )
    return [row["username"] for row in found]
