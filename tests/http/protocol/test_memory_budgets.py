"""All clients together take no more memory than there is for them, and give it back."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from src.http.protocol import connection as http_protocol
from src.http.protocol.byte_budget import ByteBudget
from src.http.protocol.connection import HttpProtocol
from src.http.protocol.exchange import Exchange
from src.http.protocol.outlet import Outlet
from tests.http.protocol.raw_http import connect, converse, port_of, serving, statuses, until_open
from tests.support import PATIENCE_SECONDS

LIMIT = 100_000
CLOSE = b"Connection: close\r\n"


@pytest.fixture
def go_on() -> asyncio.Event:
    """What the application waits for on /wait."""
    return asyncio.Event()


@pytest.fixture
async def server(
    monkeypatch: pytest.MonkeyPatch, go_on: asyncio.Event
) -> AsyncIterator[uvicorn.Server]:
    """A server that has little memory for requests and answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix("/")
        while path != "early" and (message := await receive()).get("more_body"):
            pass
        if path != "early" and message["type"] == "http.disconnect":
            return
        if path == "wait":
            await go_on.wait()
        body = b"x" * int(path) if path.isdecimal() else b""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    monkeypatch.setattr(HttpProtocol.received, "limit", LIMIT)
    monkeypatch.setattr(Outlet.unsent, "limit", LIMIT * 10)
    async with serving(app) as server:
        yield server
        go_on.set()


@pytest.fixture
def port(server: uvicorn.Server) -> int:
    """Where it listens."""
    return port_of(server)


@pytest.fixture
def clients(port: int) -> Iterator[list[socket.socket]]:
    """Four connections."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(connect(port))) for _ in range(4)]


def post(size: int, path: bytes = b"/", headers: bytes = CLOSE) -> bytes:
    """The head of a request with such a body."""
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (path, headers, size)


async def send(client: socket.socket, data: bytes) -> None:
    """Send it, and wait until the server has counted all of it."""
    before = HttpProtocol.received.used
    await asyncio.get_running_loop().sock_sendall(client, data)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while HttpProtocol.received.used < before + len(data):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)


async def answer(client: socket.socket) -> bytes:
    """What the server answers until it closes the connection."""
    loop, received = asyncio.get_running_loop(), b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while data := await loop.sock_recv(client, 65536):
            received += data
    return received


def exchanges() -> list[Exchange]:
    """Those that something refers to."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Exchange)]


async def until_free() -> None:
    """Wait until nothing is counted any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while HttpProtocol.received.used or Outlet.unsent.used:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)
    assert HttpProtocol.received.largest() is None
    assert Outlet.unsent.largest() is None


async def test_past_the_memory_for_requests_the_largest_unfinished_one_is_refused(
    clients: list[socket.socket],
) -> None:
    large, small, other, _ = clients
    await send(large, post(80_000) + b"x" * 50_000)
    await send(small, post(20_001) + b"x" * 20_000)
    await asyncio.get_running_loop().sock_sendall(other, post(40_001) + b"x" * 40_000)
    refusal = await answer(large)
    assert statuses(refusal) == [503]
    assert b"\r\nretry-after: 1\r\n" in refusal
    assert b"\r\nconnection: close\r\n" in refusal
    assert b'"code":"overloaded"' in refusal
    for client in (small, other):
        client.send(b"x")
        assert statuses(await answer(client)) == [200]
    await until_free()


async def test_heads_count_as_bodies_do(clients: list[socket.socket]) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    large, small, other, _ = clients
    await send(large, head + b"a" * 50_000)
    await send(small, head + b"a" * 20_000)
    await asyncio.get_running_loop().sock_sendall(other, head + b"a" * 40_000)
    assert statuses(await answer(large)) == [503]
    for client in (small, other):
        client.send(b"\r\n%b\r\n" % CLOSE)
        assert statuses(await answer(client)) == [200]
    await until_free()


async def test_a_request_under_way_is_counted_and_not_refused(
    clients: list[socket.socket], go_on: asyncio.Event
) -> None:
    under_way, new, later, _ = clients
    await send(under_way, post(70_000, b"/wait") + b"x" * 70_000)
    await asyncio.get_running_loop().sock_sendall(new, post(40_001) + b"x" * 40_000)
    assert statuses(await answer(new)) == [503]
    go_on.set()
    assert statuses(await answer(under_way)) == [200]
    await asyncio.get_running_loop().sock_sendall(later, post(70_000) + b"x" * 70_000)
    assert statuses(await answer(later)) == [200]
    await until_free()


async def test_a_request_that_comes_whole_has_to_fit_as_well(
    clients: list[socket.socket], go_on: asyncio.Event
) -> None:
    """Small enough for one read, so that it never waits for its rest."""
    loop = asyncio.get_running_loop()
    request = post(30_000, b"/wait") + b"x" * 30_000
    for client in clients:
        await loop.sock_sendall(client, request)
    refusal = asyncio.gather(*map(answer, clients))
    await asyncio.sleep(0.1)
    assert HttpProtocol.received.used <= LIMIT
    go_on.set()
    found = sorted(status for received in await refusal for status in statuses(received))
    assert found == [200, 200, 200, 503]
    await until_free()


async def test_a_read_counts_once_however_many_requests_are_in_it(
    port: int, go_on: asyncio.Event
) -> None:
    length = LIMIT // 3
    ahead = asyncio.create_task(
        converse(port, post(0, b"/wait", b"") * 3 + post(length, b"/wait") + b"x" * length)
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not HttpProtocol.received.used:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)
    assert statuses(await converse(port, post(length) + b"x" * length)) == [200]
    go_on.set()
    assert statuses(await ahead) == [200] * 4
    await until_free()


@pytest.mark.parametrize("path", [b"/", b"/early"])
async def test_a_connection_keeps_nothing_of_what_is_answered(port: int, path: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(post(5, path, b"") + b"abc")
        await asyncio.sleep(0.02)
        writer.write(b"de")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
            while exchanges():  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)
        writer.write(post(0))
        assert statuses(await reader.read()) == [200]


async def test_what_is_sent_ahead_waits_outside(port: int, go_on: asyncio.Event) -> None:
    one = post(10_000, b"/wait", b"") + b"x" * 10_000
    last = post(0)
    ahead = asyncio.create_task(converse(port, one * 20 + last))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not HttpProtocol.received.used:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)
    length = LIMIT // 3
    assert statuses(await converse(port, post(length) + b"x" * length)) == [200]
    go_on.set()
    assert statuses(await ahead) == [200] * 21
    await until_free()


@pytest.mark.parametrize(
    "pieces",
    [
        (post(5, b"/early", b"") + b"abcde" + post(0),),
        (post(5, b"/early", b""), b"abcde", post(0)),
        (post(5, b"/", b"") * 3 + b"abcde",),
        (post(5, b"/", b"") + b"abcde" + post(5)[:30], post(5)[30:], b"abcde"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n" + post(0),),
        (post(0), b"more"),
        (b"nonsense\r\n",),
        (post(5) + b"abc",),
        (b"\r\n\r\n",),
    ],
    ids=repr,
)
async def test_nothing_stays_counted(
    server: uvicorn.Server, port: int, pieces: tuple[bytes]
) -> None:
    await converse(port, *pieces, pause=0.02, ends=True)
    await until_open(server, 0)
    await until_free()


async def test_past_the_memory_for_answers_whoever_leaves_most_unread_is_cut_off(
    server: uvicorn.Server, port: int
) -> None:
    server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with closing(connect(port)) as large, closing(connect(port)) as small:
        await until_open(server, 2)
        large.send(b"GET /800000 HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not Outlet.unsent.used:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        small.send(b"GET /500000 HTTP/1.1\r\nHost: x\r\n%b\r\n" % CLOSE)
        await until_open(server, 1)
        assert len(await answer(small)) > 500_000
        assert len(await answer(large)) < 800_000
    await until_free()


def test_a_budget_is_relieved_once_after_much_was_held() -> None:
    budget: ByteBudget[str] = ByteBudget(800)
    budget.hold("a", 300)
    budget.drop("a")
    assert not budget.is_relieved()
    budget.hold("a", 300)
    budget.hold("b", 200)
    budget.drop("a")
    assert not budget.is_relieved()
    budget.drop("b")
    assert [budget.is_relieved(), budget.is_relieved()] == [True, False]


async def test_after_a_flood_memory_is_given_back(
    server: uvicorn.Server, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = asyncio.Event()
    monkeypatch.setattr(http_protocol, "give_back_memory", lambda _: given.set())
    await converse(port, post(1000) + b"x" * 1000)
    await until_open(server, 0)
    assert not given.is_set()
    await converse(port, post(60_000) + b"x" * 60_000)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await given.wait()
