"""kill -9 at any moment: what was answered 2xx is there afterwards, and its mail goes out."""

import asyncio
import signal
from pathlib import Path

import httpx

from src.mail.mailbox import Mailbox
from tests.conftest import execute
from tests.jobs.processes import environment, serving, terminated
from tests.jobs.support import START_SECONDS
from tests.support import free_port, until

PASSWORD = "correct horse battery"
KILL_AFTER = (1, 12)  # answers
# What a killed server was working on is taken over after 30 seconds, which have now passed.
TIME_PASSES = "UPDATE pgqueuer SET heartbeat = heartbeat - interval '1 minute'"


class Load:
    """Registers and writes without a pause, and remembers what was answered 2xx."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str], enough: int) -> None:
        self._client = client
        self._headers = headers
        self._enough = enough
        self.answered_enough = asyncio.Event()
        self.emails: list[str] = []
        self.posts: list[str] = []

    async def run(self) -> None:
        """Until the connection breaks."""
        await asyncio.gather(
            *(self._register(number) for number in range(3)),
            *(self._write() for _ in range(3)),
            return_exceptions=True,
        )

    async def _register(self, number: int) -> None:
        for attempt in range(1000):
            email = f"{self._enough}-{number}-{attempt}@x.test"
            registration = {"email": email, "password": PASSWORD}
            answer = await self._client.post("/api/v1/auth/register", json=registration)
            if answer.status_code == 202:
                self.emails.append(email)
                self._count()

    async def _write(self) -> None:
        post = {"title": "A post", "body": "Its text", "status": "published"}
        for _ in range(1000):
            answer = await self._client.post("/api/v1/posts", json=post, headers=self._headers)
            if answer.status_code == 201:
                self.posts.append(answer.json()["id"])
                self._count()

    def _count(self) -> None:
        if len(self.emails) + len(self.posts) >= self._enough:
            self.answered_enough.set()


async def test_what_was_answered_survives_and_its_mail_goes_out(
    database_url: str, tmp_path: Path
) -> None:
    variables = environment(database_url, tmp_path, PORT=str(free_port()))
    mailbox = Mailbox(tmp_path / "mailbox")
    emails, posts = ["ann@x.test"], []
    headers: dict[str, str] = {}
    for after in KILL_AFTER:
        async with serving(variables) as (process, client):
            headers = headers or await sign_up(client)
            load = Load(client, headers, after)
            running = asyncio.create_task(load.run())
            async with asyncio.timeout(START_SECONDS):
                await load.answered_enough.wait()
            process.kill()
            await running
        emails += load.emails
        posts += load.posts
    await execute(database_url, TIME_PASSES)
    async with serving(variables) as (process, client):
        for post_id in posts:
            assert (await client.get(f"/api/v1/posts/{post_id}")).status_code == 200
        await until(lambda: set(emails) <= {mail.to for mail in mailbox.messages()})
        assert (await client.get("/api/v1/users/me", headers=headers)).status_code == 200
        assert await terminated(process) in {0, -signal.SIGTERM}


async def sign_up(client: httpx.AsyncClient) -> dict[str, str]:
    """The Authorization header of a new user."""
    registration = {"email": "ann@x.test", "password": PASSWORD}
    answer = await client.post("/api/v1/auth/register", json=registration)
    assert answer.status_code == 202
    form = {"username": "ann@x.test", "password": PASSWORD}
    tokens = await client.post("/api/v1/auth/token", data=form)
    return {"Authorization": f"Bearer {tokens.json()['access_token']}"}
