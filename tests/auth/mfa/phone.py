"""An authenticator app, and short ways to the second factor over HTTP."""

from dataclasses import dataclass
from typing import Any

import httpx
import pyotp

from tests.auth.support import ONE_REQUEST_ID, TOKEN
from tests.support import PASSWORD, Account, FrozenClock

MFA = "/api/v1/users/me/mfa"
TOTP = f"{MFA}/totp"
CONFIRM_TOTP = f"{TOTP}/confirm"
RECOVERY_CODES = f"{MFA}/recovery-codes"
MFA_GRANT = "urn:plaza:grant-type:mfa"


@dataclass(frozen=True, slots=True)
class Phone:
    """A user's authenticator app, whose clock may be some steps ahead."""

    secret: str
    clock: FrozenClock

    def code(self, ahead: int = 0) -> str:
        """What it shows."""
        return pyotp.TOTP(self.secret).at(self.clock.now(), counter_offset=ahead)

    def wrong_code(self) -> str:
        """A code of none of the steps around now."""
        near = {self.code(ahead) for ahead in range(-3, 4)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in near)


async def enrol(client: httpx.AsyncClient, account: Account, clock: FrozenClock) -> Phone:
    """A secret in an app, not confirmed."""
    proof = {"current_password": PASSWORD}
    answer = await client.post(TOTP, json=proof, headers=account.headers)
    assert answer.status_code == 200, answer.text
    return Phone(answer.json()["secret"], clock)


async def enable(
    client: httpx.AsyncClient, account: Account, clock: FrozenClock
) -> tuple[Phone, list[str]]:
    """The second factor is on, with the step of now spent: the app, and the recovery codes."""
    phone = await enrol(client, account, clock)
    answer = await client.post(CONFIRM_TOTP, json={"code": phone.code()}, headers=account.headers)
    assert answer.status_code == 200, answer.text
    return phone, answer.json()["recovery_codes"]


async def mfa_token(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> str:
    """What the right password gives."""
    form = {"username": username, "password": password}
    answer = await client.post(TOKEN, data=form)
    assert answer.json()["error"] == "mfa_required", answer.text
    return str(answer.json()["mfa_token"])


async def second_step(
    client: httpx.AsyncClient, token: str, code: str, **form: str
) -> httpx.Response:
    """The token endpoint's answer to a code."""
    form = {"grant_type": MFA_GRANT, "mfa_token": token, "code": code} | form
    return await client.post(TOKEN, data=form, headers=ONE_REQUEST_ID)


async def state(client: httpx.AsyncClient, account: Account) -> dict[str, Any]:
    """What the user sees of their second factor."""
    answer = await client.get(MFA, headers=account.headers)
    assert answer.status_code == 200, answer.text
    seen: dict[str, Any] = answer.json()
    return seen
