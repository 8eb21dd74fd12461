"""Connections beside the requests, over a real socket: silent ones, deaf ones, too many."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from src.http.protocol import connection as http_protocol
from src.http.protocol import outlet as http_outlet
from src.http.protocol.connection import HttpProtocol
from src.http.protocol.deadline import Deadline
from src.http.protocol.pipeline import MAX_PIPELINED
from src.http.protocol.reader import MAX_HEAD_BYTES, MAX_HEADERS
from tests.http.protocol.raw_http import connect, converse, port_of, serving, statuses, until_open
from tests.support import PATIENCE_SECONDS

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
EARLY = CHUNKED.replace(b"/", b"/early", 1)
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
MOST = b"a" * (MAX_HEAD_BYTES * 3 // 4)
LITTLE = 60_000  # fits into the buffers of a connection, so the server does not wait to write it
MUCH = 4_000_000
CLOSE = b"Connection: close\r\n"


def ask(size: int, headers: bytes = b"") -> bytes:
    """A request for an answer of that size."""
    return b"GET /%d HTTP/1.1\r\nHost: x\r\n%b\r\n" % (size // 2, headers)


async def answer_ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, unless the path is /early, and answer twice the bytes that the path says.

    Or twice as many as there are headers, for /headers; /slow takes a moment.
    """
    path = scope["path"].removeprefix("/")
    while path != "early" and (await receive()).get("more_body"):
        pass
    if path == "slow":
        await asyncio.sleep(0.2)
    size = len(scope["headers"]) if path == "headers" else int(path) if path.isdecimal() else 0
    body = b"x" * size
    headers = [(b"content-length", b"%d" % (2 * len(body)))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[uvicorn.Server]:
    """A server that has less patience than ours, and small buffers."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.4)
    monkeypatch.setattr(http_protocol, "LINGER_SECONDS", 0.3)
    monkeypatch.setattr(http_outlet, "WRITE_SECONDS", 0.3)
    async with serving(answer_ok) as server:
        server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield server


@pytest.fixture
def port(server: uvicorn.Server) -> int:
    """Where the server listens."""
    return port_of(server)


async def connect_three(stack: ExitStack, server: uvicorn.Server, port: int) -> list[socket.socket]:
    """Three connections, one after the other, until the stack closes them."""
    clients = []
    for opened in range(1, 4):
        clients.append(stack.enter_context(closing(connect(port))))
        await until_open(server, opened)
    return clients


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


@pytest.mark.parametrize("trailers", [MOST, b"a: b\r\n" * (len(MOST) // 6)], ids=["one", "many"])
async def test_trailers_without_end_are_refused(port: int, trailers: bytes) -> None:
    pieces = (CHUNKED + b"0\r\na: b\r\na: ", trailers, trailers)
    assert statuses(await converse(port, *pieces, pause=0.05)) == [431]


async def test_more_headers_than_anybody_sends_are_refused(port: int) -> None:
    headers = b"".join(b"x-%d: y\r\n" % number for number in range(MAX_HEADERS - 2))
    trailers = CHUNKED + b"0\r\n" + b"a:\r\n" * MAX_HEADERS
    for sent, status in (
        (ask(2, CLOSE + headers), 200),
        (ask(2, CLOSE + headers + b"x: y\r\n"), 431),
        (trailers + b"a:\r\n\r\n", 431),
    ):
        assert statuses(await converse(port, sent)) == [status]


async def test_trailers_are_no_headers(port: int) -> None:
    request = CHUNKED.replace(b"/", b"/headers", 1).replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n")
    answer = await converse(port, request, b"0\r\nx-trailer: y\r\n\r\n", pause=0.05)
    assert answer.endswith(b"\r\n\r\n" + b"xx" * 3)


async def test_a_long_body_in_pieces_is_answered(port: int) -> None:
    pieces = [b"c000\r\n" + MOST + b"\r\n"] * 4
    answer = await converse(port, CHUNKED, *pieces, b"0\r\n\r\n", pause=0.03)
    assert statuses(answer) == [200]


async def test_a_read_that_begins_a_head_does_not_count(port: int) -> None:
    body = b"a" * (MAX_HEAD_BYTES * 5 // 4)
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    last = ask(2, CLOSE)
    assert statuses(await converse(port, request + last[:9], last[9:], pause=0.05)) == [200, 200]


async def test_each_head_counts_for_itself(port: int) -> None:
    request = ask(2, b"X: " + MOST + b"\r\n")
    answer = await converse(port, request, request, ask(2, CLOSE), pause=0.05)
    assert statuses(answer) == [200] * 3


async def test_as_many_requests_may_be_sent_ahead(port: int) -> None:
    answer = await converse(port, ask(2) * MAX_PIPELINED + ask(2, CLOSE))
    assert statuses(answer) == [200] * (MAX_PIPELINED + 1)


async def test_more_requests_sent_ahead_end_the_connection(port: int) -> None:
    answer = await converse(port, ask(2) * 1000)
    assert statuses(answer) == [200] * (MAX_PIPELINED + 1)
    assert b"connection: close\r\n" in answer.rpartition(b"HTTP/1.1")[2]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((b"nonsense\r\n\r\n",), [400]),
        ((ask(2), b"nonsense\r\n\r\n"), [200, 400]),
        ((SLOW + b"nonsense\r\n\r\n", SLOW), [200]),
        (
            (SLOW + b"GET / HTTP/1.1\r\nX: ", MOST, MOST, b"\r\n\r\n" + CHUNKED + b"nonsense\r\n"),
            [200],
        ),
        ((CHUNKED + b"nonsense\r\n",), [400]),
        ((EARLY + b"1\r\na", b"nonsense\r\n"), [200]),
        ((EARLY, b"40000\r\n" + b"a" * 0x40000 + b"\r\n0\r\n\r\n"), [200]),
        ((EARLY, b"0\r\na: ", MOST, MOST), [200]),
        ((SLOW + CHUNKED + b"nonsense\r\n",), [200]),
    ],
    ids=[
        "bad",
        "bad after an answer",
        "bad during an answer",
        "long head during an answer",
        "bad body",
        "bad body after its answer",
        "long body after its answer",
        "long trailer after an answer",
        "bad body of a request sent ahead",
    ],
)
async def test_a_refusal_is_not_taken_for_the_answer_to_another_request(
    port: int, pieces: tuple[bytes, ...], expected: list[int]
) -> None:
    assert statuses(await converse(port, *pieces, pause=0.03)) == expected


@pytest.mark.parametrize(
    ("requests", "expected"), [(SLOW, [200]), (ask(2) + SLOW, [200, 200]), (REQUEST, [])], ids=repr
)
async def test_a_client_that_ends_its_side_is_answered(
    port: int, requests: bytes, expected: list[int]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(requests)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert statuses(await reader.read()) == expected


async def test_a_client_that_resets_the_connection_at_the_end_of_its_answer_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, answered = socket.socket(), asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        answered.set()
        await send({"type": "http.response.body"})

    async with serving(app) as server:
        client.connect(("127.0.0.1", port_of(server)))
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await answered.wait()
        await until_open(server, 0)
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


async def test_a_head_that_takes_too_long_leaves_the_answers_before_it(port: int) -> None:
    assert statuses(await converse(port, SLOW + SLOW + ask(2)[:9])) == [200, 200]


async def test_a_request_in_pieces_is_answered(port: int) -> None:
    pieces = (REQUEST[:20], REQUEST[20:], b"Connection: close\r\n\r\nab", b"cd")
    assert (await converse(port, *pieces, pause=0.05)).startswith(b"HTTP/1.1 200")


async def test_a_connection_serves_one_request_after_the_other(port: int) -> None:
    request = REQUEST + b"\r\nabcd"
    last = REQUEST + b"Connection: close\r\n\r\nabcd"
    answer = await converse(port, request, request, last, pause=0.35)
    assert answer.count(b"HTTP/1.1 200") == 3


async def test_each_body_has_its_own_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    monkeypatch.setattr(Deadline, "set", lambda _, seconds: given.append(seconds))
    request, last = REQUEST + b"\r\n", REQUEST + CLOSE + b"\r\n"
    pieces = (request + b"ab", b"cd" + request + b"ab", b"cd" + last + b"ab", b"cd")
    assert statuses(await converse(port, *pieces, pause=0.05)) == [200] * 3
    assert given.count(http_protocol.BODY_SECONDS) == 3


@pytest.mark.parametrize(
    "pieces",
    [
        (REQUEST + b"\r\nabcd", b"\r\n"),
        (REQUEST.replace(b"/", b"/early", 1) + b"\r\nab", b"cd"),
    ],
    ids=["empty line", "late body"],
)
async def test_a_connection_is_closed_that_stays_silent_after_an_answer(
    port: int, pieces: tuple[bytes, ...]
) -> None:
    assert (await converse(port, *pieces, pause=0.1)).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "pieces",
    [
        (ask(MUCH),),
        (ask(MUCH, CLOSE),),
        (ask(LITTLE),),
        (ask(LITTLE, CLOSE),),
        (ask(LITTLE), b"nonsense\r\n\r\n"),
        (ask(LITTLE), b"GET / HT"),
        (ask(LITTLE), b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD_BYTES),
    ],
    ids=["much", "much, then close", "little", "little, then close", "bad", "silent", "long head"],
)
async def test_a_client_that_reads_nothing_is_cut_off(
    server: uvicorn.Server, port: int, pieces: tuple[bytes, ...]
) -> None:
    with closing(connect(port)) as client:
        for piece in pieces:
            client.send(piece)
            await asyncio.sleep(0.05)
        await until_open(server, 1)
        await until_open(server, 0)


async def test_a_client_that_stops_reading_at_the_end_is_cut_off(
    server: uvicorn.Server, port: int
) -> None:
    loop = asyncio.get_running_loop()
    with closing(connect(port)) as client:
        client.send(ask(LITTLE * 4, CLOSE))
        await asyncio.sleep(0.1)
        taken = 0
        while taken < LITTLE * 3.5:
            taken += len(await loop.sock_recv(client, 4096))
        await until_open(server, 1)
        await until_open(server, 0)


async def test_a_client_that_reads_slowly_gets_everything(port: int) -> None:
    loop = asyncio.get_running_loop()
    taken = 0
    with closing(connect(port)) as client:
        client.send(ask(MUCH, CLOSE))
        started = loop.time()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while data := await loop.sock_recv(client, MUCH // 40):
                taken += len(data)
                await asyncio.sleep(http_outlet.WRITE_SECONDS * len(data) * 5 / MUCH)
    assert taken > MUCH
    assert loop.time() - started > http_outlet.WRITE_SECONDS * 3


async def test_past_the_limit_the_longest_waiting_connection_gives_way(
    server: uvicorn.Server, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpProtocol.admission, "limit", 3)
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", PATIENCE_SECONDS)
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        silent = await connect_three(stack, server, port)
        assert (await converse(port, ask(2, CLOSE))).startswith(b"HTTP/1.1 200")
        assert await loop.sock_recv(silent[0], 1000) == b""
        for client in silent[1:]:
            client.send(ask(2, CLOSE))
            assert (await loop.sock_recv(client, 1000)).startswith(b"HTTP/1.1 200")


async def test_past_the_limit_the_longest_idle_connection_gives_way_first(
    server: uvicorn.Server, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpProtocol.admission, "limit", 3)
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", PATIENCE_SECONDS)
    loop = asyncio.get_running_loop()

    async def answered(client: socket.socket) -> bool:
        client.send(ask(2))
        return (await loop.sock_recv(client, 1000)).startswith(b"HTTP/1.1 200")

    with ExitStack() as stack:
        silent, first, second = await connect_three(stack, server, port)
        assert [await answered(client) for client in (first, second, first)] == [True] * 3
        assert (await converse(port, ask(2, CLOSE))).startswith(b"HTTP/1.1 200")
        assert await loop.sock_recv(second, 1000) == b""
        assert await answered(silent)
        assert await answered(first)


@pytest.mark.parametrize(
    "pieces",
    [
        (ask(MUCH),),
        (ask(2) + ask(MUCH),),
        (SLOW + ask(MUCH)[:9], ask(MUCH)[9:]),
        (ask(LITTLE),),
    ],
    ids=["one request", "one sent ahead", "one begun during an answer", "an answer unread"],
)
async def test_past_the_limit_a_connection_is_refused_when_all_are_busy(
    server: uvicorn.Server, port: int, monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(HttpProtocol.admission, "limit", 1)
    with closing(connect(port)) as gone:
        gone.send(ask(2))
        await asyncio.get_running_loop().sock_recv(gone, 1000)
    await until_open(server, 0)
    with closing(connect(port)) as busy:
        for piece in pieces:
            busy.send(piece)
            await asyncio.sleep(0.25 if piece.startswith(SLOW) else 0.05)
        await until_open(server, 1)
        answer = await converse(port)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1\r\n" in answer
        assert b"connection: close\r\n" in answer
