"""Whoever registers an address they do not own gains nothing when its owner confirms it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from src.auth import tasks
from src.config import Settings
from src.users.models import User
from tests.auth.support import (
    CONFIRM,
    ME,
    ONE_REQUEST_ID,
    REGISTER,
    RESEND,
    change,
    code,
    confirm,
    pair,
    refresh,
    register,
    rows,
    seen,
    sign_in,
    whoami,
)
from tests.support import Accounts, FrozenClock, Inbox, job_context

VICTIM = "victim@x.test"
OWN = "the victim's own password"
EVIL = "the attacker's password"


async def assert_the_victims(client: httpx.AsyncClient) -> str:
    """Check that the account answers to the victim alone; their access token."""
    unknown = await sign_in(client, "nobody@x.test", EVIL)
    assert seen(await sign_in(client, VICTIM, EVIL)) == seen(unknown)
    assert seen(await sign_in(client, "evil", EVIL)) == seen(unknown)
    access, _ = pair(await sign_in(client, VICTIM, OWN))
    me = (await whoami(client, access)).json()
    assert me["email"] == VICTIM
    assert me["email_verified"] is True
    assert me["display_name"] == "Victim"
    assert me["locale"] == "en"
    assert "evil" not in me["username"]
    return access


async def attack(client: httpx.AsyncClient) -> str:
    """The attacker registers the victim's address; their secret."""
    return await register(client, VICTIM, password=EVIL, display_name="Evil", username="evil")


async def own_registration(client: httpx.AsyncClient) -> str:
    """The victim registers; their secret."""
    return await register(client, VICTIM, password=OWN, display_name="Victim")


async def clean_up(app: FastAPI) -> None:
    """What is done every night."""
    for schedule in tasks.SCHEDULES:
        await schedule.run(job_context(app))


@pytest.mark.parametrize("order", ["attacker first", "attacker after", "attacker around"])
@pytest.mark.parametrize("proof", ["secret", "password"])
async def test_the_owner_confirms_with_their_own_proof(
    client: httpx.AsyncClient, inbox: Inbox, order: str, proof: str
) -> None:
    if order != "attacker after":
        await attack(client)
    secret = await own_registration(client)
    if order != "attacker first":
        await attack(client)
    token = await inbox.token(VICTIM, {"attacker around": 3}.get(order, 2))
    own_proof = {"registration_secret": secret} if proof == "secret" else {"password": OWN}
    assert (await confirm(client, token, **own_proof)).status_code == 204
    await assert_the_victims(client)


async def test_the_link_of_the_attackers_mail_serves_the_owner_as_well(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    await attack(client)
    token = await inbox.token(VICTIM)
    secret = await own_registration(client)
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204
    await assert_the_victims(client)


async def test_a_click_without_a_proof_confirms_nothing(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    """The owner, curious, follows the link of a registration that was not theirs."""
    await attack(client)
    token = await inbox.token(VICTIM)
    assert (await client.get(f"/confirm-email?token={token}")).status_code == 200
    for guess in ({}, {"password": OWN}, {"registration_secret": "a guess"}):
        answer = await confirm(client, token, **guess)
        assert code(answer) == (400, "confirmation_proof_required")
    assert code(await sign_in(client, VICTIM, EVIL)) == (400, "email_not_confirmed")


async def test_the_attackers_proofs_open_nothing_without_the_mail(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    evil_secret = await attack(client)
    await own_registration(client)
    await register(client, "evil@x.test", password=EVIL)
    evil_link = await inbox.token("evil@x.test")  # good, but for the attacker's own address
    for token in (evil_link, evil_secret, "A" * 70):
        answer = await confirm(client, token, registration_secret=evil_secret)
        assert answer.status_code == 400
    victims_link = await inbox.token(VICTIM, 2)
    assert (await confirm(client, victims_link, password=OWN)).status_code == 204
    await assert_the_victims(client)


async def test_after_the_confirmation_the_attackers_secret_and_password_are_void(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    evil_secret = await attack(client)
    secret = await own_registration(client)
    token = await inbox.token(VICTIM, 2)
    await confirm(client, token, registration_secret=secret)
    evil_again = await attack(client)
    await client.post(RESEND, json={"email": VICTIM})
    [notice, *_] = await inbox.mails(VICTIM, 3)
    assert "token" not in notice.text
    for proof in (
        {"registration_secret": evil_secret},
        {"registration_secret": evil_again},
        {"password": EVIL},
    ):
        assert code(await confirm(client, token, **proof)) == (400, "email_already_confirmed")
    await assert_the_victims(client)


async def test_registrations_and_the_confirmation_of_another_at_once(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    await attack(client)
    secret = await own_registration(client)
    token = await inbox.token(VICTIM, 2)
    body = {"email": VICTIM, "password": EVIL}
    confirmed, *registered = await asyncio.gather(
        confirm(client, token, registration_secret=secret),
        *(client.post(REGISTER, json=body) for _ in range(10)),
    )
    assert confirmed.status_code == 204
    assert [answer.status_code for answer in registered] == [202] * 10
    await assert_the_victims(client)


async def test_a_disabled_account_is_not_opened_anew(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox
) -> None:
    await attack(client)
    secret = await own_registration(client)
    token = await inbox.token(VICTIM, 2)
    await change(app, update(User).values(is_active=False))
    body = {"token": token, "registration_secret": secret, "sign_in": True}
    assert code(await client.post(CONFIRM, json=body)) == (400, "invalid_token")
    assert code(await sign_in(client, VICTIM, OWN)) == (400, "invalid_grant")
    await change(app, update(User).values(is_active=True))
    assert (await client.post(CONFIRM, json=body)).status_code == 200
    await assert_the_victims(client)


async def test_many_foreign_registrations_do_not_void_the_owners(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    secret = await own_registration(client)
    token = await inbox.token(VICTIM)
    for _ in range(30):
        await register(client, VICTIM, password=EVIL)
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204
    await assert_the_victims(client)


async def test_among_any_number_of_foreign_registrations_the_owners_password_confirms(
    client: httpx.AsyncClient, inbox: Inbox, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        await register(client, VICTIM, password=f"{EVIL} {number}")
    await own_registration(client)
    for number in range(9):
        await register(client, VICTIM, password=f"{EVIL} {number + 9}")
    token = await inbox.token(VICTIM, 5)
    hasher, tries = app.state.auth.hasher, 0

    async def count_hash(function: Callable[[], object], *_: object, **__: object) -> object:
        nonlocal tries
        tries += 1
        return function()

    monkeypatch.setattr(hasher._threads, "run", count_hash)
    wrong = await confirm(client, token, password="a stranger's password")
    assert code(wrong) == (400, "confirmation_proof_required")
    assert tries == 2  # the account's own, and one for all the others
    assert (await confirm(client, token, password=OWN)).status_code == 204
    monkeypatch.undo()
    await assert_the_victims(client)


async def test_equal_passwords_of_two_addresses_do_not_look_equal(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    for email in (VICTIM, "another@x.test"):
        await register(client, email, password=OWN)
    first, second = await rows(app, "SELECT password_hash FROM registrations")
    assert first != second


async def test_the_owner_confirms_though_the_attack_is_forgotten_meanwhile(
    client: httpx.AsyncClient, app: FastAPI, inbox: Inbox, clock: FrozenClock
) -> None:
    await attack(client)
    await inbox.mails(VICTIM, 1)
    clock.advance(timedelta(days=7))
    secret = await own_registration(client)
    token = await inbox.token(VICTIM, 2)
    await clean_up(app)
    assert (await confirm(client, token, registration_secret=secret)).status_code == 204
    await assert_the_victims(client)


async def test_an_account_is_forgotten_with_its_last_registration(
    client: httpx.AsyncClient, app: FastAPI, clock: FrozenClock
) -> None:
    await attack(client)
    clock.advance(timedelta(days=6))
    await own_registration(client)
    for left in (1, 0):
        clock.advance(timedelta(days=6))
        await clean_up(app)
        assert len(await rows(app, "SELECT 1 FROM users")) == left


class TestWithoutConfirmation:
    """REQUIRE_CONFIRMED_EMAIL=false: the attacker may even have used the account."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"require_confirmed_email": False})

    @pytest.fixture
    async def evil(self, client: httpx.AsyncClient) -> tuple[str, str]:
        """The attacker's tokens of the victim's account, which they registered and use."""
        await attack(client)
        return pair(await sign_in(client, VICTIM, EVIL))

    @pytest.mark.parametrize("proof", ["secret", "password"])
    async def test_the_attackers_sessions_end(
        self, client: httpx.AsyncClient, inbox: Inbox, evil: tuple[str, str], proof: str
    ) -> None:
        _, second_refresh = pair(await sign_in(client, "evil", EVIL))
        secret = await own_registration(client)
        token = await inbox.token(VICTIM, 2)
        own_proof = {"registration_secret": secret} if proof == "secret" else {"password": OWN}
        assert (await confirm(client, token, **own_proof)).status_code == 204
        assert code(await whoami(client, evil[0])) == (401, "invalid_access_token")
        for refresh_token in (evil[1], second_refresh):
            assert code(await refresh(client, refresh_token)) == (400, "invalid_grant")

    async def test_the_owner_gets_the_username_that_they_asked_for(
        self, client: httpx.AsyncClient, inbox: Inbox, evil: tuple[str, str]
    ) -> None:
        secret = await register(client, VICTIM, password=OWN, username="victor")
        token = await inbox.token(VICTIM, 2)
        assert (await confirm(client, token, registration_secret=secret)).status_code == 204
        access, _ = pair(await sign_in(client, "victor", OWN))
        assert (await whoami(client, access)).json()["username"] == "victor"

    async def test_nothing_the_attacker_wrote_stays_in_the_owners_name(
        self, client: httpx.AsyncClient, inbox: Inbox, evil: tuple[str, str]
    ) -> None:
        headers = {"Authorization": f"Bearer {evil[0]}"} | ONE_REQUEST_ID
        words = {"bio": "words of the attacker", "locale": "ru"}
        await client.patch(ME, headers=headers, json=words)
        post = {"title": "In your name", "body": "words", "status": "published"}
        await client.post("/api/v1/posts", headers=headers, json=post)
        secret = await own_registration(client)
        token = await inbox.token(VICTIM, 2)
        await confirm(client, token, registration_secret=secret)
        access = await assert_the_victims(client)
        assert (await whoami(client, access)).json()["bio"] == ""
        assert (await client.get("/api/v1/posts")).json()["items"] == []

    @pytest.mark.parametrize("days", [0, 30])
    async def test_an_account_in_use_is_confirmed_as_it_is_however_late(
        self, client: httpx.AsyncClient, app: FastAPI, inbox: Inbox, clock: FrozenClock, days: int
    ) -> None:
        await register(client, VICTIM, password=OWN, username="first-name")
        access, _ = pair(await sign_in(client, VICTIM, OWN))
        mine = {"Authorization": f"Bearer {access}"}
        await client.patch(ME, headers=mine, json={"username": "second-name", "bio": "mine"})
        await inbox.mails(VICTIM, 1)
        clock.advance(timedelta(days=days))
        await clean_up(app)
        await client.post(RESEND, json={"email": VICTIM})
        token = await inbox.token(VICTIM, 2)
        assert (await confirm(client, token, password=OWN)).status_code == 204
        access, _ = pair(await sign_in(client, VICTIM, OWN))
        me = (await whoami(client, access)).json()
        assert me["email_verified"] is True
        assert (me["username"], me["bio"]) == ("second-name", "mine")

    async def test_registering_again_with_the_same_password_loses_nothing(
        self, client: httpx.AsyncClient, inbox: Inbox
    ) -> None:
        await own_registration(client)
        access, refresh_token = pair(await sign_in(client, VICTIM, OWN))
        mine = {"Authorization": f"Bearer {access}"}
        await client.patch(ME, headers=mine, json={"bio": "mine"})
        await own_registration(client)
        token = await inbox.token(VICTIM, 2)
        assert (await confirm(client, token, password=OWN)).status_code == 204
        assert (await whoami(client, access)).json()["bio"] == "mine"
        assert (await refresh(client, refresh_token)).status_code == 200

    async def test_the_accounts_own_password_keeps_it_whatever_secret_is_beside_it(
        self, client: httpx.AsyncClient, inbox: Inbox
    ) -> None:
        await own_registration(client)
        access, _ = pair(await sign_in(client, VICTIM, OWN))
        secret = await register(client, VICTIM, password="forgotten, so another one")
        token = await inbox.token(VICTIM, 2)
        proofs = {"registration_secret": secret, "password": OWN}
        assert (await confirm(client, token, **proofs)).status_code == 204
        assert (await whoami(client, access)).json()["email_verified"] is True

    @pytest.mark.parametrize("way", ["moves", "deletes"])
    async def test_the_owner_confirms_though_the_attacker_is_gone_with_the_account(
        self, client: httpx.AsyncClient, inbox: Inbox, evil: tuple[str, str], way: str
    ) -> None:
        await own_registration(client)
        owners_token = await inbox.token(VICTIM, 2)
        headers = {"Authorization": f"Bearer {evil[0]}"}
        if way == "moves":
            body = {"new_email": "evil@x.test", "current_password": EVIL}
            await client.post("/api/v1/users/me/email", headers=headers, json=body)
            token = await inbox.token("evil@x.test")
            answer = await client.post(CONFIRM, headers=headers, json={"token": token})
        else:
            answer = await client.request(
                "DELETE", ME, headers=headers, json={"current_password": EVIL}
            )
        assert answer.status_code == 204
        assert (await confirm(client, owners_token, password=OWN)).status_code == 204
        access, _ = pair(await sign_in(client, VICTIM, OWN))
        assert (await whoami(client, access)).json()["email_verified"] is True
        assert code(await sign_in(client, VICTIM, EVIL)) == (400, "invalid_grant")

    async def test_the_owners_sessions_live_on_when_they_confirm(
        self, client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
    ) -> None:
        secret = await own_registration(client)
        access, refresh_token = pair(await sign_in(client, VICTIM, OWN))
        await attack(client)
        assert code(await sign_in(client, VICTIM, EVIL)) == (400, "invalid_grant")
        token = await inbox.token(VICTIM, 2)
        assert (await confirm(client, token, registration_secret=secret)).status_code == 204
        assert (await whoami(client, access)).json()["email_verified"] is True
        assert (await refresh(client, refresh_token)).status_code == 200
        await assert_the_victims(client)
