"""A receiver on this machine, and short ways to make webhooks and to have their jobs done."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from src.events import log
from src.events.tasks import Recorded, hand_to
from src.ids import uuid7
from src.webhooks.tasks import SUBSCRIBERS, DueDelivery, deliver
from tests.auth.support import rows
from tests.support import Account, job_context

WEBHOOKS = "/api/v1/webhooks"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nthanks"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A server that takes requests down and answers with what it is told to."""

    answer: bytes = OK
    behave: Answer | None = None
    port: int = 0
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append((headers, body))
        try:
            if self.behave:
                await self.behave(reader, writer)
            else:
                writer.write(self.answer)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens while the block runs."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def redirect_to(url: str) -> bytes:
    """An answer that sends elsewhere."""
    return f"HTTP/1.1 307 Elsewhere\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()


def status(number: int, *headers: str) -> bytes:
    """An empty answer."""
    lines = [f"HTTP/1.1 {number} X", *headers, "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


async def create(client: httpx.AsyncClient, admin: Account, url: str, **fields: Any) -> Any:
    """A new webhook."""
    data = {"url": url, "kinds": ["*"]} | fields
    answer = await client.post(WEBHOOKS, json=data, headers=admin.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def happen(app: FastAPI, kind: Any = "post.published", slug: str = "herons") -> UUID:
    """An event that is handed to the webhooks."""
    subject_id = uuid7()
    async with app.state.database.independent_transaction() as session:
        await log.record(session, kind, at=app.state.clock.now(), subject_id=subject_id, slug=slug)
    await hand_over(app)
    return subject_id


async def hand_over(app: FastAPI) -> None:
    """Do the job of the last event."""
    [event_id] = await rows(app, "SELECT id FROM events ORDER BY position DESC LIMIT 1")
    await hand_to(SUBSCRIBERS).run(job_context(app), Recorded(event_id=event_id))


async def send(app: FastAPI, webhook: Any) -> None:
    """Do the job of a delivery that is due."""
    await deliver.run(job_context(app), DueDelivery(webhook_id=UUID(webhook["id"])))


async def deliveries(client: httpx.AsyncClient, admin: Account, webhook: Any) -> Any:
    """What was sent, newest first."""
    answer = await client.get(f"{WEBHOOKS}/{webhook['id']}/deliveries", headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def secret(client: httpx.AsyncClient, admin: Account, webhook: Any) -> str:
    """What messages are signed with."""
    answer = await client.get(f"{WEBHOOKS}/{webhook['id']}/secret", headers=admin.headers)
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["secret"])


def is_signed(headers: dict[str, str], body: bytes, key: str) -> bool:
    """Whether one signature is right, as the specification has a receiver find out.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}"
    digest = hmac.new(
        base64.b64decode(key.removeprefix("whsec_")), signed.encode(), hashlib.sha256
    ).digest()
    expected = base64.b64encode(digest).decode()
    return any(
        hmac.compare_digest(signature, expected)
        for version, _, signature in (
            one.partition(",") for one in headers["webhook-signature"].split(" ")
        )
        if version == "v1"
    )
