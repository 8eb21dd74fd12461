"""Proxies send the requests of many clients over the same connections: nobody gets another's answer.

An attacker sends what made servers lose track of where a request ends, while others sign in.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.proxies.servers import PROXIES, Proxy, in_front, plaza
from tests.support import PASSWORD, PATIENCE_SECONDS, Accounts

pytestmark = pytest.mark.proxies

ROUNDS = 2
VICTIMS = ["ann", "bob", "cid"]
SMUGGLED = b"GET /api/v1/posts?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
WEBSOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
RESEND = b"POST /api/v1/auth/email/resend"


def with_length(line: bytes, headers: bytes, body: bytes) -> list[bytes]:
    """A request whose body comes later."""
    head = b"%b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (line, headers, len(body))
    return [head, body]


def in_chunks(line: bytes, headers: bytes, body: bytes) -> list[bytes]:
    """The same in chunks."""
    head = b"%b HTTP/1.1\r\nHost: x\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (line, headers)
    return [head, b"%x;a=b\r\n%b\r\n" % (len(body), body), b"0\r\nX-Trailer: a\r\n\r\n"]


ATTACKS = {
    "upgrade": with_length(RESEND, UPGRADE, SMUGGLED),
    "upgrade of a GET": with_length(b"GET /api/v1/posts", UPGRADE, SMUGGLED),
    "upgrade with a long body": with_length(RESEND, UPGRADE, SMUGGLED * 15_000),
    "upgrade in chunks": in_chunks(RESEND, UPGRADE, SMUGGLED),
    "websocket": with_length(RESEND, WEBSOCKET, SMUGGLED),
    "websocket without a body": [b"GET / HTTP/1.1\r\nHost: x\r\n%b\r\n" % WEBSOCKET, SMUGGLED],
    "chunks": in_chunks(RESEND, b"", SMUGGLED),
    "answered early": with_length(b"PUT /api/v1/posts", b"", SMUGGLED),
    "expected, answered early": with_length(
        b"PUT /api/v1/posts", b"Expect: 100-continue\r\n", SMUGGLED
    ),
    "too large, answered early": with_length(RESEND, b"", SMUGGLED * 40_000),
    "CONNECT": [b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", SMUGGLED],
    "HTTP/1.0": [b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", SMUGGLED],
}
OF_THEIR_OWN = {"websocket without a body", "CONNECT", "HTTP/1.0"}  # where SMUGGLED is a request


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[int]:
    """Plaza's port."""
    with plaza(tmp_path, database_url) as port:
        yield port


async def converse(port: int, pieces: list[bytes]) -> bytes:
    """What comes back until the connection is closed, or nothing more comes."""
    received = b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        try:
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.05)
            async with asyncio.timeout(1):
                while data := await reader.read(65536):
                    received += data
        except (OSError, TimeoutError):
            pass
    return received


async def sign_in(port: int, username: str) -> tuple[int, str]:
    """The status of a sign-in, and whose account its token opens."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as client:
        form = {"username": username, "password": PASSWORD}
        answer = await client.post("/auth/token", data=form, timeout=PATIENCE_SECONDS)
        token = answer.json().get("access_token")
        me = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, me.json().get("username")


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.__name__)
async def test_everybody_gets_the_answers_to_his_own_requests(
    proxy: Proxy, server: int, tmp_path: Path, accounts: Accounts
) -> None:
    for username in VICTIMS:
        await accounts.add(username)
    with in_front(proxy, tmp_path, server) as port:
        for name, attack in ATTACKS.items():
            attacks = [converse(port, [*attack, LAST]) for _ in range(ROUNDS)]
            signed_in, *received = await asyncio.gather(
                asyncio.gather(*(sign_in(port, username) for username in VICTIMS * ROUNDS)),
                *attacks,
            )
            assert signed_in == [(200, username) for username in VICTIMS * ROUNDS], name
            for answers in received:
                found = re.findall(rb"HTTP/1.1 (?!100)\d+", answers)
                sent = 3 if name in OF_THEIR_OWN else 2  # the last request is one of them
                assert len(found) <= sent, (name, answers)
                assert b"access_token" not in answers, name


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.__name__)
@pytest.mark.parametrize("headers", [UPGRADE, WEBSOCKET], ids=["h2c", "websocket"])
async def test_who_offers_an_upgrade_in_good_faith_is_answered(
    proxy: Proxy, server: int, tmp_path: Path, headers: bytes
) -> None:
    body = b'{"email": "nobody@x.test"}'
    line = b"Content-Type: application/json\r\n"
    with in_front(proxy, tmp_path, server) as port:
        for _ in range(3):
            got = await converse(
                port, [b"GET /health/live HTTP/1.1\r\nHost: x\r\n%b\r\n" % headers]
            )
            assert got.startswith(b"HTTP/1.1 200"), got
            posted = await converse(port, with_length(RESEND, headers + line, body))
            assert posted.startswith(b"HTTP/1.1 202"), posted
