"""The second factor, as a front end turns it on and off."""

import asyncio
import re
from datetime import timedelta

import httpx
import pyotp
from fastapi import FastAPI
from pydantic import SecretStr

from src.config import Settings
from src.main import create_app
from tests.auth.mfa.phone import (
    CONFIRM_TOTP,
    MFA,
    RECOVERY_CODES,
    TOTP,
    Phone,
    enable,
    enrol,
    mfa_token,
    second_step,
    state,
)
from tests.auth.support import ME, code, pair, refresh, rows, sign_in, whoami
from tests.support import PASSWORD, Account, Accounts, FrozenClock, Inbox, talking_to

STEP = timedelta(seconds=30)
OFF = {"totp_enabled": False, "confirmed_at": None, "recovery_codes_left": 0}
ON = {
    "totp_enabled": True,
    "confirmed_at": "2026-03-01T12:00:00Z",
    "recovery_codes_left": 10,
}
PROOF = {"current_password": PASSWORD}


async def disable(client: httpx.AsyncClient, account: Account, sent: str) -> httpx.Response:
    """The answer to turning it off."""
    return await client.request(
        "DELETE", TOTP, json=PROOF | {"code": sent}, headers=account.headers
    )


async def replace_codes(client: httpx.AsyncClient, account: Account, sent: str) -> httpx.Response:
    """The answer to asking for new recovery codes."""
    return await client.post(RECOVERY_CODES, json=PROOF | {"code": sent}, headers=account.headers)


async def confirm(client: httpx.AsyncClient, account: Account, sent: str) -> httpx.Response:
    """The answer to the first code."""
    return await client.post(CONFIRM_TOTP, json={"code": sent}, headers=account.headers)


async def test_the_way_of_a_front_end(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, inbox: Inbox
) -> None:
    assert await state(client, ann) == OFF
    enrolment = await client.post(TOTP, json=PROOF, headers=ann.headers)
    assert enrolment.status_code == 200
    assert enrolment.headers["cache-control"] == "no-store"
    shown = enrolment.json()
    assert set(shown) == {"secret", "otpauth_url", "qr_svg"}
    app = pyotp.parse_uri(shown["otpauth_url"])
    assert (app.issuer, app.name, app.secret) == ("Plaza", "ann@x.test", shown["secret"])
    assert re.fullmatch("[A-Z2-7]{32}", shown["secret"])  # 160 bits
    assert shown["qr_svg"].startswith("<svg ")
    assert await state(client, ann) == OFF
    pair(await sign_in(client, "ann"))  # it does not count yet

    phone = Phone(shown["secret"], clock)
    confirmed = await confirm(client, ann, phone.code())
    assert confirmed.status_code == 200
    assert confirmed.headers["cache-control"] == "no-store"
    recovery_codes = confirmed.json()["recovery_codes"]
    assert len(set(recovery_codes)) == 10
    assert await state(client, ann) == ON
    assert (await whoami(client, ann.access_token)).json()["mfa_enabled"] is True
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.subject == "Two-factor authentication is on"

    token = await mfa_token(client, "ann")
    assert code(await second_step(client, token, phone.code())) == (400, "invalid_code")  # spent
    clock.advance(STEP)
    access, _ = pair(await second_step(client, token, phone.code()))
    pair(await sign_in(client, "ann", code=recovery_codes[0]))
    assert await state(client, ann) == ON | {"recovery_codes_left": 9}

    clock.advance(STEP)
    replaced = await replace_codes(client, ann, phone.code())
    assert replaced.status_code == 200
    assert replaced.headers["cache-control"] == "no-store"
    assert set(replaced.json()["recovery_codes"]).isdisjoint(recovery_codes)
    assert await state(client, ann) == ON

    clock.advance(STEP)
    disabled = await disable(client, ann, phone.code())
    assert (disabled.status_code, disabled.content) == (204, b"")
    assert await state(client, ann) == OFF
    assert (await whoami(client, access)).json()["mfa_enabled"] is False  # and still signed in
    pair(await sign_in(client, "ann"))
    assert sorted(mail.subject for mail in await inbox.mails("ann@x.test", 4)) == [
        "A recovery code was used",
        "Two-factor authentication is off",
        "Two-factor authentication is on",
        "You have new recovery codes",
    ]


async def test_everything_takes_a_signed_in_user(client: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", MFA),
        ("POST", TOTP),
        ("POST", CONFIRM_TOTP),
        ("DELETE", TOTP),
        ("POST", RECOVERY_CODES),
    ):
        answer = await client.request(method, path, json=PROOF | {"code": "000000"})
        assert code(answer) == (401, "not_authenticated"), path


async def test_changes_take_the_password(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    wrong = {"current_password": "wrong horse battery"}
    answer = await client.post(TOTP, json=wrong, headers=ann.headers)
    assert code(answer) == (400, "wrong_password")
    phone, recovery_codes = await enable(client, ann, clock)
    clock.advance(STEP)
    for sent in (phone.code(), recovery_codes[0]):
        body = wrong | {"code": sent}
        answer = await client.request("DELETE", TOTP, json=body, headers=ann.headers)
        assert code(answer) == (400, "wrong_password")
        answer = await client.post(RECOVERY_CODES, json=body, headers=ann.headers)
        assert code(answer) == (400, "wrong_password")
    assert await state(client, ann) == ON


async def test_what_is_no_code_is_refused(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock
) -> None:
    for sent in (None, 123456, "", "x" * 65, "1\x0023456", ["123456"], True):
        answer = await client.post(CONFIRM_TOTP, json={"code": sent}, headers=ann.headers)
        assert code(answer) == (422, "validation_error"), sent
        body = PROOF | {"code": sent}
        answer = await client.request("DELETE", TOTP, json=body, headers=ann.headers)
        assert code(answer) == (422, "validation_error"), sent
    await enrol(client, ann, clock)
    for sent in ("☃", "１２３４５６", "12345", "--"):
        assert code(await confirm(client, ann, sent)) == (400, "invalid_code"), sent


class TestEnrolment:
    """From a secret to a second factor."""

    async def test_enrolling_again_makes_the_older_secret_dead(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        older = await enrol(client, ann, clock)
        newer = await enrol(client, ann, clock)
        assert older.secret != newer.secret
        assert code(await confirm(client, ann, older.code())) == (400, "invalid_code")
        assert (await confirm(client, ann, newer.code())).status_code == 200

    async def test_an_app_that_counts_is_not_replaced(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        phone, _ = await enable(client, ann, clock)
        answer = await client.post(TOTP, json=PROOF, headers=ann.headers)
        assert code(answer) == (409, "mfa_already_enabled")
        clock.advance(STEP)
        assert code(await confirm(client, ann, phone.code())) == (409, "mfa_already_enabled")
        pair(await sign_in(client, "ann", code=phone.code()))

    async def test_without_a_secret_there_is_nothing_to_confirm(
        self, client: httpx.AsyncClient, ann: Account
    ) -> None:
        assert code(await confirm(client, ann, "000000")) == (409, "mfa_not_enrolled")

    async def test_of_twenty_confirmations_one_wins(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock, inbox: Inbox
    ) -> None:
        phone = await enrol(client, ann, clock)
        codes = [phone.code(ahead) for ahead in (-1, 0, 1)]  # each good by itself
        answers = await asyncio.gather(*(confirm(client, ann, codes[n % 3]) for n in range(20)))
        [winner] = [answer for answer in answers if answer.status_code == 200]
        losers = [answer for answer in answers if answer is not winner]
        assert {code(answer) for answer in losers} == {(409, "mfa_already_enabled")}
        pair(await sign_in(client, "ann", code=winner.json()["recovery_codes"][0]))
        subjects = [mail.subject for mail in await inbox.mails("ann@x.test", 2)]
        assert subjects.count("Two-factor authentication is on") == 1

    async def test_the_other_sessions_end(
        self, client: httpx.AsyncClient, ann: Account, accounts: Accounts, clock: FrozenClock
    ) -> None:
        thief = await accounts.sign_in("ann")
        bob = await accounts.sign_in("bob")
        await enable(client, ann, clock)
        assert code(await whoami(client, thief.access_token)) == (401, "invalid_access_token")
        assert code(await refresh(client, thief.refresh_token)) == (400, "invalid_grant")
        for untouched in (ann, bob):
            assert (await whoami(client, untouched.access_token)).status_code == 200
            assert (await refresh(client, untouched.refresh_token)).status_code == 200

    async def test_the_account_has_a_new_version(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        tag = (await client.get(ME, headers=ann.headers)).headers["etag"]
        await enable(client, ann, clock)
        headers = ann.headers | {"If-Match": tag}
        answer = await client.patch(ME, json={"bio": "x"}, headers=headers)
        assert code(answer) == (412, "precondition_failed")

    async def test_whoever_has_the_session_alone_cannot_guess_the_first_code(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        phone = await enrol(client, ann, clock)
        for _ in range(5):
            assert code(await confirm(client, ann, phone.wrong_code())) == (400, "invalid_code")
        assert code(await confirm(client, ann, phone.code())) == (429, "too_many_failures")
        clock.advance(timedelta(seconds=1))
        assert (await confirm(client, ann, phone.code())).status_code == 200


class TestDisabling:
    """And what comes after."""

    async def test_it_takes_a_right_code(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        phone, _ = await enable(client, ann, clock)
        for sent in (phone.code(), phone.wrong_code()):
            assert code(await disable(client, ann, sent)) == (400, "invalid_code")
            assert code(await replace_codes(client, ann, sent)) == (400, "invalid_code")
        assert code(await disable(client, ann, "aaaa-aaaa-aaaa-aaaa")) == (400, "invalid_code")
        assert code(await disable(client, ann, phone.code())) == (429, "too_many_failures")
        assert await state(client, ann) == ON
        token = await mfa_token(client, "ann")  # the same count
        answer = await second_step(client, token, phone.code())
        assert code(answer) == (429, "too_many_failures")

    async def test_a_recovery_code_will_do(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock, inbox: Inbox
    ) -> None:
        _, recovery_codes = await enable(client, ann, clock)
        replaced = await replace_codes(client, ann, recovery_codes[0])
        assert replaced.status_code == 200
        for dead in recovery_codes[:2]:
            assert code(await disable(client, ann, dead)) == (400, "invalid_code")
        newer = replaced.json()["recovery_codes"]
        assert (await disable(client, ann, newer[0])).status_code == 204
        assert await state(client, ann) == OFF
        await inbox.mails("ann@x.test", 5)  # on, used, replaced, used, off

    async def test_there_may_be_nothing_to_disable(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        for _ in range(2):
            assert code(await disable(client, ann, "000000")) == (409, "mfa_not_enabled")
            assert code(await replace_codes(client, ann, "000000")) == (409, "mfa_not_enabled")
            await enrol(client, ann, clock)  # without a confirmation it is the same

    async def test_enabling_again_starts_anew(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock, app: FastAPI
    ) -> None:
        older, older_codes = await enable(client, ann, clock)
        clock.advance(STEP)
        assert (await disable(client, ann, older.code())).status_code == 204
        newer, newer_codes = await enable(client, ann, clock)
        clock.advance(STEP)
        for dead in (older.code(), older_codes[0]):
            assert code(await sign_in(client, "ann", code=dead)) == (400, "invalid_code")
        pair(await sign_in(client, "ann", code=newer.code()))
        pair(await sign_in(client, "ann", code=newer_codes[0]))
        actions = await rows(app, "SELECT action FROM audit_log WHERE action LIKE 'mfa.%'")
        assert sorted(actions) == [
            "mfa.disabled",
            "mfa.enabled",
            "mfa.enabled",
            "mfa.enrolled",
            "mfa.enrolled",
            "mfa.failed",
            "mfa.failed",
            "mfa.recovery_code_used",
        ]


async def test_under_another_key_one_enrols_anew_with_a_recovery_code(
    client: httpx.AsyncClient, ann: Account, clock: FrozenClock, settings: Settings
) -> None:
    phone, recovery_codes = await enable(client, ann, clock)
    clock.advance(STEP)
    rekeyed = create_app(
        settings.model_copy(update={"secret_key": SecretStr("another" * 6)}), clock
    )
    async with (
        rekeyed.router.lifespan_context(rekeyed),
        talking_to(rekeyed) as other,
    ):
        assert await state(other, ann) == ON
        assert code(await disable(other, ann, phone.code())) == (503, "second_factor_unavailable")
        assert (await disable(other, ann, recovery_codes[0])).status_code == 204
        newer, _ = await enable(other, ann, clock)
        clock.advance(STEP)
        pair(await sign_in(other, "ann", code=newer.code()))
