"""Signing in with a second factor: codes of an app (RFC 6238) and codes to recover."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree as ET

import httpx
import pyotp
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select, update

from src.auth.exceptions import InvalidMfaCodeError
from src.auth.flows import AuthContext
from src.auth.guessing.backoff import Backoff, Guesser
from src.auth.mfa.codes import (
    matching_step,
    new_recovery_codes,
    normalize_code,
    otpauth_url,
    qr_svg,
)
from src.auth.mfa.service import SecondFactor
from src.auth.models import TotpFactor
from src.auth.tokens.links import LinkTokens
from src.config import Settings
from src.http.peer import Peer
from src.ids import uuid7
from src.main import create_app
from src.users.models import User
from tests.auth.mfa.phone import MFA_GRANT, Phone, enable, enrol, mfa_token, second_step
from tests.auth.support import (
    CONFIRM,
    TOKEN,
    change,
    code,
    pair,
    refresh,
    rows,
    seen,
    segment,
    sign_in,
    whoami,
)
from tests.support import PASSWORD, Account, Accounts, FrozenClock, Inbox, talking_to

STEP = timedelta(seconds=30)
WRONG = "wrong horse battery"
# RFC 6238, appendix B, SHA-1: seconds since 1970, and the last six of the eight digits.
RFC_SECRET = b"12345678901234567890"
RFC_VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}


@pytest.fixture
async def phone(client: httpx.AsyncClient, ann: Account, clock: FrozenClock) -> Phone:
    """Ann's app, which shows a code that is not spent."""
    phone, _ = await enable(client, ann, clock)
    clock.advance(STEP)
    return phone


class TestRules:
    """Without a database."""

    @pytest.mark.parametrize(("seconds", "expected"), RFC_VECTORS.items())
    def test_the_codes_are_those_of_the_rfc(self, seconds: int, expected: str) -> None:
        now = datetime.fromtimestamp(seconds, UTC)
        assert matching_step(RFC_SECRET, expected, now) == seconds // 30

    def test_a_code_is_good_one_step_before_and_after_its_own(self) -> None:
        for seconds in (1111111109, 1234567890):
            step = seconds // 30
            matches = {
                off: matching_step(
                    RFC_SECRET, RFC_VECTORS[seconds], datetime.fromtimestamp((step + off) * 30, UTC)
                )
                for off in range(-3, 4)
            }
            assert matches == {-3: None, -2: None, -1: step, 0: step, 1: step, 2: None, 3: None}

    def test_what_is_no_code_matches_nothing(self) -> None:
        now = datetime.fromtimestamp(59, UTC)
        for text in ("", "28708", "2870820", "２８７０８２", "٢٨٧٠٨٢", "-87082", "28708\u0661"):
            assert matching_step(RFC_SECRET, text, now) is None, text

    def test_recovery_codes_are_long_distinct_and_readable(self) -> None:
        codes = new_recovery_codes()
        assert len(set(codes)) == 10
        for recovery_code in codes:
            assert re.fullmatch("[a-z2-7]{4}(-[a-z2-7]{4}){3}", recovery_code)  # 80 bits
            typed = f" {recovery_code.upper().replace('-', ' ')} "
            assert normalize_code(typed) == normalize_code(recovery_code)

    @pytest.mark.parametrize("issuer", ["Plaza", "Plaza & Söhne/?#%"])
    @pytest.mark.parametrize("account", ["ann@x.test", "a/b?c&d=e#f+g%h@x.test", "дж@пример.test"])
    def test_the_url_says_the_same_to_an_app(self, issuer: str, account: str) -> None:
        url = otpauth_url(RFC_SECRET, issuer, account)
        assert re.fullmatch(r"otpauth://totp/[\w%.~-]+:[\w%.~-]+\?[\w%.~=&-]+", url, re.ASCII)
        read = pyotp.parse_uri(url)
        assert isinstance(read, pyotp.TOTP)
        assert (read.issuer, read.name) == (issuer, account)
        assert read.byte_secret() == RFC_SECRET
        assert read.at(59) == RFC_VECTORS[59]

    def test_the_longest_url_has_a_qr_code(self) -> None:
        account = "\U0001f600" * 60 + "@" + "x" * 10  # 254 bytes of UTF-8 are the limit
        assert qr_svg(otpauth_url(RFC_SECRET, "\U0001f600" * 64, account)).startswith("<svg ")

    def test_the_qr_code_can_do_no_harm_in_a_page(self) -> None:
        svg = ET.fromstring(qr_svg("</svg><script>alert(1)</script>"))  # noqa: S314 - ours
        names = {element.tag.partition("}")[2] for element in svg.iter()}
        assert names == {"svg", "path"}
        attributes = {name for element in svg.iter() for name in element.attrib}
        assert attributes == {"viewBox", "fill", "stroke", "d"}
        texts = {part for element in svg.iter() for part in (element.text, element.tail)}
        assert texts == {None}


class TestSignIn:
    """From the password over the code to a session."""

    async def test_a_right_password_asks_for_the_code(
        self, client: httpx.AsyncClient, phone: Phone
    ) -> None:
        answer = await sign_in(client, "ann")
        assert code(answer) == (400, "mfa_required")
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert body["error"] == "mfa_required"
        assert body["error_description"]
        assert body["expires_in"] == 300
        assert "access_token" not in body
        access, refresh_token = pair(await second_step(client, body["mfa_token"], phone.code()))
        assert (await whoami(client, access)).json()["mfa_enabled"] is True
        assert (await refresh(client, refresh_token)).status_code == 200

    async def test_a_wrong_password_says_nothing_of_it(
        self, client: httpx.AsyncClient, phone: Phone
    ) -> None:
        reference = seen(await sign_in(client, "nobody", WRONG))
        assert seen(await sign_in(client, "ann", WRONG)) == reference
        assert seen(await sign_in(client, "ann", WRONG, code=phone.code())) == reference
        # The code was not spent by that.
        assert (await sign_in(client, "ann", code=phone.code())).status_code == 200

    async def test_the_code_may_come_with_the_password(
        self, client: httpx.AsyncClient, phone: Phone, accounts: Accounts
    ) -> None:
        wrong = await sign_in(client, "ann", code=phone.wrong_code())
        assert code(wrong) == (400, "invalid_code")
        assert wrong.json()["error"] == "invalid_grant"
        shown = phone.code()
        pair(await sign_in(client, "ann", code=f"{shown[:3]} {shown[3:]}"))
        await accounts.add("bob")
        pair(await sign_in(client, "bob", code="000000"))  # who has no second factor

    async def test_a_faulty_second_step_is_an_oauth_error(
        self, client: httpx.AsyncClient, phone: Phone
    ) -> None:
        token = await mfa_token(client, "ann")
        for form, error in (
            ({"mfa_token": token}, "invalid_request"),
            ({"code": phone.code()}, "invalid_request"),
            ({"mfa_token": token, "code": ""}, "invalid_request"),
            ({"mfa_token": token, "code": phone.code(), "scope": "admin"}, "invalid_scope"),
            ({"mfa_token": token, "code": phone.code(), "scope": "users:manage"}, "invalid_scope"),
            ({"mfa_token": token, "code": "☃"}, "invalid_grant"),
            ({"mfa_token": token, "code": "１２３４５６"}, "invalid_grant"),
            ({"mfa_token": token, "code": "x" * 1000}, "invalid_grant"),
            ({"mfa_token": "x", "code": phone.code()}, "invalid_grant"),
            ({"mfa_token": "☃" * 70, "code": phone.code()}, "invalid_grant"),
        ):
            answer = await client.post(TOKEN, data={"grant_type": MFA_GRANT} | form)
            assert answer.status_code == 400
            assert answer.json()["error"] == error, form
        pair(await second_step(client, token, phone.code()))  # none of these spent the code

    async def test_the_scope_is_settled_before_the_code_is_asked_for(
        self, client: httpx.AsyncClient, phone: Phone
    ) -> None:
        assert code(await sign_in(client, "ann", scope="users:manage")) == (400, "invalid_scope")
        token = await mfa_token(client, "ann")
        answer = await second_step(client, token, phone.code(), scope="profile:read users:manage")
        assert answer.json()["scope"] == "profile:read"
        assert segment(pair(answer)[0], 1)["scope"] == "profile:read"

    async def test_an_unconfirmed_user_hears_that_first(
        self, client: httpx.AsyncClient, phone: Phone, app: FastAPI
    ) -> None:
        await change(app, update(User).values(email_verified_at=None))
        answer = await sign_in(client, "ann", code=phone.code())
        assert code(answer) == (400, "email_not_confirmed")

    async def test_without_confirmation_nothing_is_asked_for(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock
    ) -> None:
        await enrol(client, ann, clock)
        pair(await sign_in(client, "ann"))


class TestMfaToken:
    """What stands for the right password in the second step."""

    async def test_it_lives_five_minutes(
        self, client: httpx.AsyncClient, phone: Phone, clock: FrozenClock
    ) -> None:
        token = await mfa_token(client, "ann")
        clock.advance(timedelta(seconds=299))
        pair(await second_step(client, token, phone.code()))
        clock.advance(timedelta(seconds=1))
        assert code(await second_step(client, token, phone.code(1))) == (400, "invalid_grant")

    @pytest.mark.parametrize(
        "values",
        [{"password_hash": "another"}, {"is_active": False}, {"mfa_enabled": False}],
        ids=["password changed", "user disabled", "second factor removed"],
    )
    async def test_it_dies_with_what_it_stood_for(
        self,
        client: httpx.AsyncClient,
        phone: Phone,
        app: FastAPI,
        values: dict[str, object],
    ) -> None:
        token = await mfa_token(client, "ann")
        reference = seen(await second_step(client, "x" * 70, phone.code()))
        await change(app, update(User).values(**values))
        assert seen(await second_step(client, token, phone.code())) == reference

    async def test_it_is_good_for_its_own_user_alone(
        self, client: httpx.AsyncClient, phone: Phone, accounts: Accounts, clock: FrozenClock
    ) -> None:
        bobs, _ = await enable(client, await accounts.sign_in("bob"), clock)
        clock.advance(STEP)
        token = await mfa_token(client, "ann")
        answer = await second_step(client, token, bobs.code())
        assert code(answer) == (400, "invalid_code")

    async def test_it_is_no_other_token_and_no_other_token_is_one(
        self, client: httpx.AsyncClient, phone: Phone, ann: Account, app: FastAPI
    ) -> None:
        token = await mfa_token(client, "ann")
        assert code(await whoami(client, token)) == (401, "invalid_access_token")
        assert code(await refresh(client, token)) == (400, "invalid_grant")
        linked = await client.post(CONFIRM, json={"token": token, "password": PASSWORD})
        assert code(linked) == (400, "invalid_token")
        credentials, ann_id = app.state.auth, UUID(ann.id)
        expires_at = 2**32 - 1  # as a counter, so that none of them is refused as expired
        [password_hash] = await rows(app, "SELECT password_hash FROM users")
        for tokens in (credentials.refresh_tokens, credentials.device_tokens):
            for salt in (b"", password_hash.encode(), ann_id.bytes):
                other = tokens.issue(ann_id, expires_at, salt)
                assert code(await second_step(client, other, phone.code())) == (
                    400,
                    "invalid_grant",
                )
        for other in (
            ann.access_token,
            ann.refresh_token,
            LinkTokens(app.state.settings).issue("reset", ann_id),
            credentials.mfa_tokens.issue(ann_id, expires_at),
            credentials.mfa_tokens.issue(uuid7(), expires_at, password_hash.encode()),
        ):
            assert code(await second_step(client, other, phone.code())) == (400, "invalid_grant")
        pair(await second_step(client, token, phone.code()))


class TestCodes:
    """Each is good once."""

    async def test_a_code_is_good_for_one_sign_in(
        self, client: httpx.AsyncClient, phone: Phone, clock: FrozenClock
    ) -> None:
        token = await mfa_token(client, "ann")
        pair(await second_step(client, token, phone.code()))
        assert code(await second_step(client, token, phone.code())) == (400, "invalid_code")
        assert code(await sign_in(client, "ann", code=phone.code())) == (400, "invalid_code")
        # Nor is an older one that was never used.
        assert code(await second_step(client, token, phone.code(-1))) == (400, "invalid_code")
        clock.advance(STEP)
        pair(await second_step(client, token, phone.code()))

    async def test_of_twenty_sign_ins_with_one_code_one_gets_in(
        self, client: httpx.AsyncClient, phone: Phone, app: FastAPI
    ) -> None:
        token = await mfa_token(client, "ann")
        answers = await asyncio.gather(
            *(second_step(client, token, phone.code()) for _ in range(10)),
            *(sign_in(client, "ann", code=phone.code()) for _ in range(10)),
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 200
        assert set(statuses[1:]) <= {400, 429}
        alive = "SELECT count(*) FROM sessions WHERE ended_at IS NULL"
        assert await rows(app, alive) == [2]  # the one before, and this

    @pytest.mark.parametrize("ahead", [-1, 0, 1])
    async def test_a_clock_may_be_one_step_off(
        self, client: httpx.AsyncClient, phone: Phone, clock: FrozenClock, ahead: int
    ) -> None:
        clock.advance(STEP)
        pair(await sign_in(client, "ann", code=phone.code(ahead)))

    @pytest.mark.parametrize("ahead", [-2, 2])
    async def test_a_clock_may_not_be_two_steps_off(
        self, client: httpx.AsyncClient, phone: Phone, clock: FrozenClock, ahead: int
    ) -> None:
        clock.advance(2 * STEP)
        answer = await sign_in(client, "ann", code=phone.code(ahead))
        assert code(answer) == (400, "invalid_code")

    async def test_a_recovery_code_lets_one_in_once(
        self, client: httpx.AsyncClient, ann: Account, clock: FrozenClock, inbox: Inbox
    ) -> None:
        _, (first, second, third, *_) = await enable(client, ann, clock)
        answers = await asyncio.gather(*(sign_in(client, "ann", code=first) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers)[:2] == [200, 400]
        mails = await inbox.mails("ann@x.test", 2)
        subjects = sorted(mail.subject for mail in mails)
        assert subjects == ["A recovery code was used", "Two-factor authentication is on"]
        clock.advance(timedelta(hours=1))
        pair(await sign_in(client, "ann", code=second.upper().replace("-", "")))
        token = await mfa_token(client, "ann")
        pair(await second_step(client, token, third.replace("-", " ")))
        assert code(await second_step(client, token, third)) == (400, "invalid_code")

    async def test_a_recovery_code_is_its_owners(
        self, client: httpx.AsyncClient, phone: Phone, accounts: Accounts, clock: FrozenClock
    ) -> None:
        _, bobs = await enable(client, await accounts.sign_in("bob"), clock)
        assert code(await sign_in(client, "ann", code=bobs[0])) == (400, "invalid_code")
        pair(await sign_in(client, "bob", code=bobs[0]))


class TestBackoff:
    """Wrong codes."""

    async def test_too_many_wrong_codes_make_everyone_wait(
        self, client: httpx.AsyncClient, phone: Phone, clock: FrozenClock, app: FastAPI
    ) -> None:
        token = await mfa_token(client, "ann")
        for _ in range(5):
            answer = await second_step(client, token, phone.wrong_code())
            assert code(answer) == (400, "invalid_code")
        wrong = await second_step(client, token, phone.wrong_code())
        right = await second_step(client, token, phone.code())
        assert code(wrong) == (429, "too_many_failures")
        assert seen(right) == seen(wrong)
        assert right.headers["retry-after"] == "1"
        by_password = await sign_in(client, "ann", code=phone.code())
        assert code(by_password) == (429, "too_many_failures")
        clock.advance(timedelta(seconds=1))
        pair(await second_step(client, token, phone.code()))
        clock.advance(STEP)  # it is all forgotten
        for _ in range(5):
            answer = await second_step(client, token, phone.wrong_code())
            assert code(answer) == (400, "invalid_code")
        failures = "SELECT user_id FROM audit_log WHERE action = 'mfa.failed'"
        assert await rows(app, failures) == [await ann_id(app)] * 10

    async def test_of_forty_wrong_codes_at_once_five_are_looked_at(
        self, client: httpx.AsyncClient, phone: Phone
    ) -> None:
        token = await mfa_token(client, "ann")
        answers = await asyncio.gather(
            *(second_step(client, token, phone.wrong_code()) for _ in range(40))
        )
        codes = [code(answer) for answer in answers]
        assert codes.count((400, "invalid_code")) == 5
        assert codes.count((429, "too_many_failures")) == 35

    async def test_a_code_that_comes_too_late_learns_nothing(
        self,
        client: httpx.AsyncClient,
        phone: Phone,
        clock: FrozenClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It was let in by the first check, and by its end others have failed meanwhile."""
        token = await mfa_token(client, "ann")
        for _ in range(8):
            answer = await second_step(client, token, phone.wrong_code())
            while answer.status_code == 429:
                clock.advance(timedelta(seconds=int(answer.headers["retry-after"])))
                answer = await second_step(client, token, phone.wrong_code())
        wrong_step = second_step(client, token, phone.wrong_code())
        wrong = seen(await late(monkeypatch, wrong_step, 1))
        right = seen(await late(monkeypatch, second_step(client, token, phone.code()), 1))
        assert right == wrong
        assert right[0] == 429
        assert right[1]["retry-after"] == "8"
        clock.advance(timedelta(seconds=8))
        pair(await second_step(client, token, phone.code()))  # it was not spent

    async def test_a_password_that_comes_too_late_is_not_asked_for_a_code(
        self, client: httpx.AsyncClient, phone: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(5):
            await sign_in(client, "ann", WRONG)
        wrong = seen(await late(monkeypatch, sign_in(client, "ann", WRONG), 1))
        right = seen(await late(monkeypatch, sign_in(client, "ann"), 2))
        assert right == wrong
        assert right[0] == 429

    async def test_wrong_passwords_of_others_do_not_stop_the_second_step(
        self, client: httpx.AsyncClient, phone: Phone
    ) -> None:
        token = await mfa_token(client, "ann")
        for _ in range(5):
            await sign_in(client, "ann", WRONG)
        assert code(await sign_in(client, "ann")) == (429, "too_many_failures")
        pair(await second_step(client, token, phone.code()))
        assert code(await sign_in(client, "ann")) == (400, "mfa_required")  # cleared by it

    async def test_a_password_alone_clears_nothing(
        self, client: httpx.AsyncClient, phone: Phone, clock: FrozenClock
    ) -> None:
        for _ in range(4):
            await sign_in(client, "ann", WRONG)
        assert code(await sign_in(client, "ann")) == (400, "mfa_required")
        wrong = await sign_in(client, "ann", code=phone.wrong_code())
        assert code(wrong) == (400, "invalid_code")
        await sign_in(client, "ann", WRONG)
        assert code(await sign_in(client, "ann")) == (429, "too_many_failures")

    async def test_known_devices_are_counted_apart(
        self, client: httpx.AsyncClient, phone: Phone, app: FastAPI
    ) -> None:
        token = await mfa_token(client, "ann")
        for _ in range(5):
            await second_step(client, token, phone.wrong_code())
        assert code(await second_step(client, token, phone.code())) == (429, "too_many_failures")
        for wrong in [phone.wrong_code()] * 4:
            with pytest.raises(InvalidMfaCodeError):
                await verify(app, wrong)
        await verify(app, phone.code())


class TestStorage:
    """Whoever reads or writes the database gets no code by it."""

    async def test_nothing_is_stored_or_logged_in_clear(
        self,
        client: httpx.AsyncClient,
        ann: Account,
        clock: FrozenClock,
        app: FastAPI,
        inbox: Inbox,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, "sqlalchemy.engine")
        phone, recovery_codes = await enable(client, ann, clock)
        clock.advance(STEP)
        token = await mfa_token(client, "ann")
        wrong, right = phone.wrong_code(), phone.code()
        await second_step(client, token, wrong)
        await second_step(client, token, right)
        await second_step(client, token, recovery_codes[0])
        await inbox.mails("ann@x.test", 2)
        tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
        stored = ""
        for table in await rows(app, tables):
            stored += "\n".join(await rows(app, f"SELECT t::text FROM {table} AS t"))  # noqa: S608
        logged = "\n".join(
            f"{record.getMessage()} {record.args!r}"
            for record in caplog.records
            if not record.name.startswith("httpx")  # the test's own client
        )
        assert "INSERT INTO totp_factors" in logged
        assert "mfa.recovery_code_used" in stored
        secret = pyotp.TOTP(phone.secret).byte_secret()
        for value in (
            phone.secret,
            secret.hex(),
            repr(secret)[2:-1],
            token,
            *recovery_codes,
            *(normalize_code(one) for one in recovery_codes),
            *(normalize_code(one).encode().hex() for one in recovery_codes),
        ):
            assert value not in stored
            assert value not in logged
        for value in (wrong, right):  # which other numbers may contain
            assert not re.search(rf"(?<![\w.-]){value}(?![\w.-])", stored)
            assert not re.search(rf"(?<![\w.-]){value}(?![\w.-])", logged)

    async def test_another_users_row_opens_nothing(
        self,
        client: httpx.AsyncClient,
        phone: Phone,
        accounts: Accounts,
        clock: FrozenClock,
        app: FastAPI,
    ) -> None:
        eves, eves_codes = await enable(client, await accounts.sign_in("eve"), clock)
        clock.advance(STEP)
        eve = select(TotpFactor.encrypted_secret).join(User).where(User.username == "eve")
        await change(app, update(TotpFactor).values(encrypted_secret=eve.scalar_subquery()))
        async with app.state.database.independent_transaction() as session:
            connection = await session.connection()
            await connection.exec_driver_sql(
                "INSERT INTO recovery_codes SELECT ann.id, code_hash FROM recovery_codes r "
                "JOIN users eve ON r.user_id = eve.id AND eve.username = 'eve' "
                "JOIN users ann ON ann.username = 'ann'"
            )
        answer = await sign_in(client, "ann", code=eves.code())
        assert code(answer) == (503, "second_factor_unavailable")
        for recovery_code in eves_codes[:3]:
            answer = await sign_in(client, "ann", code=recovery_code)
            assert code(answer) == (400, "invalid_code")
        pair(await sign_in(client, "eve", code=eves.code()))

    async def test_under_another_key_recovery_codes_still_work(
        self,
        client: httpx.AsyncClient,
        ann: Account,
        clock: FrozenClock,
        settings: Settings,
        caplog: pytest.LogCaptureFixture,
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
            token = await mfa_token(other, "ann")
            for _ in range(7):  # nobody's guess: it is not counted
                answer = await second_step(other, token, phone.code())
                assert code(answer) == (503, "second_factor_unavailable")
                assert answer.json()["error"] == "temporarily_unavailable"
            assert ann.id in caplog.text
            assert "cannot be opened with this SECRET_KEY" in caplog.text
            pair(await second_step(other, token, recovery_codes[0]))


async def ann_id(app: FastAPI) -> UUID:
    """Ann's id."""
    [found] = await rows(app, "SELECT id FROM users WHERE username = 'ann'")
    assert isinstance(found, UUID)
    return found


async def late(
    monkeypatch: pytest.MonkeyPatch, request: Awaitable[httpx.Response], checks: int
) -> httpx.Response:
    """The answer to a request that its first checks let pass."""
    check, passing = Backoff.check, iter([True] * checks)

    async def check_later(self: Backoff, guessers: Sequence[Guesser]) -> None:
        if not next(passing, False):
            await check(self, guessers)

    with monkeypatch.context() as patch:
        patch.setattr(Backoff, "check", check_later)
        return await request


async def verify(app: FastAPI, sent: str) -> None:
    """What a sign-in on a known device does."""
    state = app.state
    async with state.database.sessions.begin() as session:
        ann = await session.scalar(select(User).where(User.username == "ann").with_for_update())
        second_factor = SecondFactor(AuthContext(state.auth, session, Peer(None, "")))
        await second_factor.verify(ann, sent, known_device=True)
