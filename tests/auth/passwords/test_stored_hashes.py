"""What is stored of a password: every byte counts, old hashes work once more and are replaced."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from passlib.context import CryptContext
from passlib.hash import bcrypt
from sqlalchemy import update

from src.users.models import User
from tests.auth.support import change, code, confirm, pair, register, rows, sign_in, whoami
from tests.support import PASSWORD, Accounts, FrozenClock, Inbox

HASHES = "SELECT password_hash FROM users"
NFC, NFD = "l\u00e4nger als acht", "la\u0308nger als acht"
COMMON_PART = "p" * 72
PASSWORDS = {  # as registered, as it is entered, another one
    "byte 73": (COMMON_PART + "a", COMMON_PART + "a", COMMON_PART + "b"),
    "Cyrillic": ("\u044f" * 36 + "1!", "\u044f" * 36 + "1!", "\u044f" * 36),
    "256 characters": ("x7" * 128, "x7" * 128, "x7" * 127 + "x8"),
    "NFC, then NFD": (NFC, NFD, "langer als acht"),
    "NFD, then NFC": (NFD, NFC, "langer als acht"),
    "blanks": ("  blanks around  ", "  blanks around  ", "blanks around"),
    "case": ("CaseMatters!", "CaseMatters!", "casematters!"),
    "form signs": ("&=+%00 #;?\u2028", "&=+%00 #;?\u2028", "&= %00 #;?\u2028"),
}
OTHER_COST = CryptContext(["bcrypt_sha256"], bcrypt_sha256__rounds=5)
MALFORMED_HASHES = [
    "",
    "x",
    "!",
    PASSWORD,
    "$2b$",
    "$2b$04$short",
    "$2b$99$" + "." * 53,
    "$1$old$md5",
    "\u00e9" * 60,
    "$bcrypt-sha256$v=2,t=2b,r=4$abc",
    "$bcrypt-sha256$v=9,t=2b,r=4$" + "." * 22 + "$" + "." * 31,
]


async def store(app: FastAPI, password_hash: str) -> None:
    """Give every user this hash."""
    await change(app, update(User).values(password_hash=password_hash))


async def test_a_password_matches_itself_alone(client: httpx.AsyncClient, inbox: Inbox) -> None:
    for number, (what, (registered, right, wrong)) in enumerate(PASSWORDS.items()):
        email = f"ann{number}@x.test"
        secret = await register(client, email, password=registered)
        token = await inbox.token(email)
        assert (await confirm(client, token, registration_secret=secret)).status_code == 204
        assert (await sign_in(client, email, right)).status_code == 200, what
        assert code(await sign_in(client, email, wrong)) == (400, "invalid_grant"), what


@pytest.mark.parametrize(
    "old_hash",
    [
        pytest.param(bcrypt.using(rounds=4).hash(PASSWORD), id="bcrypt"),
        pytest.param(bcrypt.using(rounds=4, ident="2a").hash(PASSWORD), id="bcrypt 2a"),
        pytest.param(bcrypt.using(rounds=4, ident="2y").hash(PASSWORD), id="bcrypt of PHP"),
        pytest.param(OTHER_COST.hash(PASSWORD), id="another cost"),
    ],
)
async def test_an_old_hash_is_upgraded_at_sign_in(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, old_hash: str
) -> None:
    await accounts.add("ann")
    await store(app, old_hash)
    assert code(await sign_in(client, "ann", "wrong horse")) == (400, "invalid_grant")
    assert await rows(app, HASHES) == [old_hash]
    access, _ = pair(await sign_in(client, "ann"))
    assert (await whoami(client, access)).status_code == 200
    [new_hash] = await rows(app, HASHES)
    assert new_hash.startswith("$bcrypt-sha256$v=2,t=2b,r=4$")
    assert (await sign_in(client, "ann")).status_code == 200
    assert await rows(app, HASHES) == [new_hash]
    assert code(await sign_in(client, "ann", "wrong horse")) == (400, "invalid_grant")


async def test_parallel_sign_ins_with_an_old_hash_all_succeed(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    await accounts.add("ann")
    await store(app, bcrypt.using(rounds=4).hash(PASSWORD))
    answers = await asyncio.gather(*(sign_in(client, "ann") for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10


async def test_an_old_hash_of_a_long_password_fits_no_other(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts
) -> None:
    """Plain bcrypt ignored what follows byte 72; we do not let that in."""
    await accounts.add("ann")
    await store(app, bcrypt.using(rounds=4).hash(COMMON_PART))
    assert code(await sign_in(client, "ann", COMMON_PART + "a")) == (400, "invalid_grant")
    assert (await sign_in(client, "ann", COMMON_PART)).status_code == 200


async def test_a_malformed_hash_lets_nobody_in(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    await accounts.add("ann")
    outcomes = {}
    for malformed in MALFORMED_HASHES:
        await store(app, malformed)
        clock.advance(timedelta(days=1))  # no backoff
        for password in {PASSWORD, malformed or "x"}:
            outcomes[malformed, password] = code(await sign_in(client, "ann", password))
    assert set(outcomes.values()) == {(400, "invalid_grant")}, outcomes
