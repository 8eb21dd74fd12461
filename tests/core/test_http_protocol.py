"""Connections that are not, or not yet, a request: over a real socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from src import http_protocol
from src.http_protocol import MAX_HEAD_BYTES, BoundedHttpProtocol
from tests.support import PATIENCE_SECONDS

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"


async def answer_ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer."""
    while (await receive()).get("more_body"):
        pass
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body"})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A server that has less patience than ours."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.4)
    config = uvicorn.Config(
        answer_ok, port=0, http=BoundedHttpProtocol, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def converse(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What the server answers to the pieces until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.parametrize(
    "pieces", [(), (b"GET / HT",), (REQUEST,), (REQUEST + b"\r\nab",)], ids=repr
)
async def test_a_silent_connection_is_closed(port: int, pieces: tuple[bytes, ...]) -> None:
    answer = await converse(port, *pieces)
    assert not answer.startswith(b"HTTP/1.1 200")


async def test_a_head_without_end_is_refused(port: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (MAX_HEAD_BYTES * 8)
    answer = await converse(port, head)
    assert answer == b"reset" or answer.startswith(b"HTTP/1.1 431")


async def test_a_request_in_pieces_is_answered(port: int) -> None:
    pieces = (REQUEST[:20], REQUEST[20:], b"Connection: close\r\n\r\nab", b"cd")
    assert (await converse(port, *pieces, pause=0.05)).startswith(b"HTTP/1.1 200")


async def test_a_connection_serves_one_request_after_the_other(port: int) -> None:
    request = REQUEST + b"\r\nabcd"
    last = REQUEST + b"Connection: close\r\n\r\nabcd"
    answer = await converse(port, request, request, last, pause=0.35)
    assert answer.count(b"HTTP/1.1 200") == 3
