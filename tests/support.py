"""What tests share: a clock to set, an inbox to wait on, accounts to act as."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from fastapi import FastAPI

from src.clock import Clock
from src.http.problems import OAUTH_ENDPOINTS
from src.ids import uuid7
from src.mail.mailbox import Mailbox, StoredMail
from src.users.models import User

PASSWORD = "correct horse battery"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATIENCE_SECONDS = 10.0


def problem_type(answer: httpx.Response) -> str:
    """The media type of an answer's problem document."""
    is_oauth = answer.request.url.path.rstrip("/") in OAUTH_ENDPOINTS
    return "application/json" if is_oauth else "application/problem+json"


class FrozenClock(Clock):
    """A clock that moves when told to."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


@dataclass(frozen=True, slots=True)
class Inbox:
    """The local mailbox, seen by somebody who waits for mail."""

    mailbox: Mailbox

    async def mails(self, to: str, count: int) -> list[StoredMail]:
        """The mails to an address, newest first, once there are `count` of them."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(mails := self.mailbox.messages(to)) < count:  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.02)
        return mails

    async def token(self, to: str, count: int = 1) -> str:
        """The token of the link in the newest of `count` mails to an address."""
        mails = await self.mails(to, count)
        found = re.search(r"token=([\w-]+)", mails[0].text)
        assert found, mails[0].text
        return found[1]


@dataclass(frozen=True, slots=True)
class Account:
    """A signed-in user."""

    id: str
    username: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """The Authorization header of this user."""
        return {"Authorization": f"Bearer {self.access_token}"}


@dataclass(frozen=True, slots=True)
class Accounts:
    """Makes confirmed users without the mail, and signs them in over HTTP."""

    app: FastAPI
    client: httpx.AsyncClient

    async def add(
        self,
        username: str,
        *,
        confirmed: bool = True,
        active: bool = True,
        roles: tuple[str, ...] = (),
    ) -> User:
        """A user in the database, with the password `PASSWORD` and the address username@x.test."""
        now = self.app.state.clock.now()
        user = User(
            id=uuid7(),
            email=f"{username}@x.test",
            username=username,
            display_name=username.title(),
            locale="en",
            password_hash=await self.app.state.credentials.hasher.hash(PASSWORD),
            email_verified_at=now if confirmed else None,
            is_active=active,
            roles=list(roles),
            created_at=now,
            updated_at=now,
        )
        async with self.app.state.database.independent_transaction() as session:
            session.add(user)
        return user

    async def token(self, username: str, **form: str) -> httpx.Response:
        """The answer of the token endpoint to a user's password."""
        form = {"username": username, "password": PASSWORD} | form
        return await self.client.post("/api/v1/auth/token", data=form)

    async def sign_in(self, username: str, **form: str) -> Account:
        """A new user, signed in; or a further session of one that exists."""
        answer = await self.token(username, **form)
        if answer.status_code != 200:
            await self.add(username)
            answer = await self.token(username, **form)
        tokens = answer.json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        me = await self.client.get("/api/v1/users/me", headers=headers)
        return Account(me.json()["id"], username, tokens["access_token"], tokens["refresh_token"])
