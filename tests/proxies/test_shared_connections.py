"""Behind a proxy, many clients share the same connections: nobody gets another's answer.

An attacker sends what made servers lose track of where a request ends, while others sign in.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.proxies.servers import PROXIES, Proxy, in_front, plaza
from tests.support import PASSWORD, PATIENCE_SECONDS, Accounts

pytestmark = pytest.mark.proxies

VICTIMS = ["ann", "bob"]
SMUGGLED = b"GET /api/v1/posts?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n"
# Its body would be what the next client sends.
CAPTURE = b"POST /api/v1/auth/email/resend HTTP/1.1\r\nHost: x\r\nContent-Length: 250\r\n\r\n"
# Parsers skip empty lines, so it does not matter where a proxy cuts the body in two.
PADDING = b"\r\n" * 5000
LONG = b"\r\n" * 400_000
LAST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
WEBSOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
RESEND = b"POST /api/v1/auth/email/resend"
WRITE = b"POST /api/v1/posts"  # takes a longer body


def with_length(line: bytes, headers: bytes, body: bytes) -> list[bytes]:
    """A request whose body comes later."""
    head = b"%b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (line, headers, len(body))
    return [head, body]


def in_chunks(line: bytes, headers: bytes, body: bytes) -> list[bytes]:
    """The same in chunks."""
    head = b"%b HTTP/1.1\r\nHost: x\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (line, headers)
    return [head, b"%x;a=b\r\n%b\r\n" % (len(body), body), b"0\r\nX-Trailer: a\r\n\r\n"]


def attacks(smuggled: bytes) -> dict[str, tuple[int, list[bytes]]]:
    """How many requests each of them is, and what is sent."""
    return {
        "upgrade": (1, with_length(RESEND, UPGRADE, smuggled)),
        "padded": (1, with_length(RESEND, UPGRADE, PADDING + smuggled)),
        "long": (1, with_length(WRITE, UPGRADE, LONG + smuggled)),
        "of a GET": (1, with_length(b"GET /api/v1/posts", UPGRADE, PADDING + smuggled)),
        "in chunks": (1, in_chunks(RESEND, UPGRADE, PADDING + smuggled)),
        "websocket": (1, with_length(RESEND, WEBSOCKET, PADDING + smuggled)),
        "answered early": (1, with_length(b"PUT /api/v1/posts", b"", PADDING + smuggled)),
        "expected": (
            1,
            with_length(b"PUT /api/v1/posts", b"Expect: 100-continue\r\n", PADDING + smuggled),
        ),
        "too large": (1, with_length(RESEND, b"", LONG + smuggled)),
        "HTTP/1.0": (
            1,
            [
                b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n"
                % len(smuggled),
                smuggled,
            ],
        ),
        # These are requests of their own: what follows them is the attacker's next.
        "websocket, no body": (2, [b"GET / HTTP/1.1\r\nHost: x\r\n%b\r\n" % WEBSOCKET, smuggled]),
        "CONNECT": (2, [b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", smuggled]),
    }


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[int]:
    """Plaza's port."""
    with plaza(tmp_path, database_url) as port:
        yield port


class Attacker:
    """A client that keeps all it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.received = b""
        self._answered = asyncio.Event()
        self._reading = asyncio.create_task(self._read(reader))

    @classmethod
    async def connect(cls, port: int) -> "Attacker":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, *pieces: bytes) -> None:
        """Send them one by one, and wait for an answer.

        A proxy passes them on one by one, but does not take the answer to the first for an early
        one, after which it would use the connection for nobody else.
        """
        with suppress(OSError):
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()
                await asyncio.sleep(0.02)

        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._answered.wait()

    async def close(self) -> None:
        await asyncio.sleep(0.1)
        self.writer.close()
        await self._reading

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                self.received += data
                self._answered.set()


async def sign_in(port: int, username: str) -> tuple[int, str]:
    """The status of a sign-in, and whose account its token opens."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as client:
        form = {"username": username, "password": PASSWORD}
        answer = await client.post("/auth/token", data=form, timeout=PATIENCE_SECONDS)
        token = answer.json().get("access_token")
        me = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, me.json().get("username")


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.__name__)
async def test_everybody_gets_the_answers_to_their_own_requests(
    proxy: Proxy, server: int, tmp_path: Path, accounts: Accounts
) -> None:
    for username in VICTIMS:
        await accounts.add(username)
    with in_front(proxy, tmp_path, server) as port:
        for smuggled in (SMUGGLED, CAPTURE):
            for name, (requests, pieces) in attacks(smuggled).items():
                attacker = await Attacker.connect(port)
                await attacker.send(*pieces)
                for username in VICTIMS:
                    assert await sign_in(port, username) == (200, username), (name, smuggled)
                await attacker.send(LAST)
                await attacker.close()
                answers = re.findall(rb"HTTP/1.1 (?!100)\d+", attacker.received)
                assert answers, name
                assert len(answers) <= requests + 1, (name, attacker.received)
                assert b"access_token" not in attacker.received, name


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.__name__)
async def test_who_offers_an_upgrade_in_good_faith_is_answered(
    proxy: Proxy, server: int, tmp_path: Path
) -> None:
    body = b'{"email": "nobody@x.test"}'
    with in_front(proxy, tmp_path, server) as port:
        for offer in (UPGRADE, WEBSOCKET) * 2:
            client = await Attacker.connect(port)
            await client.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n%b\r\n" % offer)
            await client.close()
            assert client.received.startswith(b"HTTP/1.1 200"), client.received
            client = await Attacker.connect(port)
            headers = offer + b"Content-Type: application/json\r\n"
            await client.send(*with_length(RESEND, headers, body))
            await client.close()
            assert client.received.startswith(b"HTTP/1.1 202"), client.received
