"""Where a request ends, and an answer: over a real socket, beside a strict reading of RFC 9112."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from zlib import crc32

import pytest
from starlette.types import Receive, Scope, Send

from tests.http.protocol.raw_http import converse, port_of, serving, statuses
from tests.http.protocol.strict_http import read

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
WEBSOCKET = b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(SMUGGLED)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
IN_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Say in a header what was seen: method, target, length and checksum of the body.

    A path that begins with /early answers before the body is read, one with /slow takes a moment;
    what else is in it says which answer to give.
    """
    path, body, more = scope["path"], b"", not scope["path"].startswith("/early")
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    if path.startswith("/slow"):
        await asyncio.sleep(0.003)
    seen = f"{scope['method']} {scope['raw_path'].decode()} {len(body)} {crc32(body)}"
    headers = [(b"x-seen", seen.encode())]
    if "length" in path:
        headers.append((b"content-length", b"6"))
    status = 204 if "204" in path else 304 if "304" in path else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if "pieces" in path or "length" in path:
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
    await send({"type": "http.response.body", "body": b"def"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where it listens."""
    async with serving(tell) as server:
        yield port_of(server)


def request(headers: bytes, line: bytes = b"POST / HTTP/1.1", host: bytes = b"x") -> bytes:
    """A request's head."""
    return b"%b\r\nHost: %b\r\n%b\r\n" % (line, host, headers)


class Answer:
    """One answer, read as its framing says."""

    def __init__(self, data: bytes) -> None:
        head, end, rest = data.partition(b"\r\n\r\n")
        assert end, data
        first, *lines = head.split(b"\r\n")
        status = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [ -~]+", first)
        assert status, first
        self.status = int(status[1])
        self.headers = dict(line.split(b": ", 1) for line in lines)
        assert len(self.headers) == len(lines), lines
        self.seen = self.headers.get(b"x-seen", b"").decode()
        self.closes = self.headers.get(b"connection") == b"close"
        silent = self.seen.startswith("HEAD ") or self.status in {204, 304}
        self.body, self.rest = (b"", rest) if silent else self._body(rest)

    def _body(self, rest: bytes) -> tuple[bytes, bytes]:
        if b"content-length" in self.headers:
            size = int(self.headers[b"content-length"])
            assert len(rest) >= size
            return rest[:size], rest[size:]
        if b"transfer-encoding" not in self.headers:
            assert self.closes
            return rest, b""
        body = b""
        while True:
            line, _, rest = rest.partition(b"\r\n")
            size = int(line, 16)
            assert rest[size : size + 2] == b"\r\n"
            body, rest = body + rest[:size], rest[size + 2 :]
            if not size:
                return body, rest


def answers_in(data: bytes) -> list[Answer]:
    """The answers of a connection; nothing comes after one that closes it."""
    answers: list[Answer] = []
    while data:
        if data.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
            data = data[25:]
            continue
        assert not answers or not answers[-1].closes, data
        answers.append(Answer(data))
        data = answers[-1].rest
    return answers


@pytest.mark.parametrize("ask", [UPGRADE, WEBSOCKET], ids=["h2c", "websocket"])
@pytest.mark.parametrize("line", [b"POST / HTTP/1.1", b"GET / HTTP/1.1", b"HEAD / HTTP/1.1"])
@pytest.mark.parametrize("split", [0, 1, 30, len(SMUGGLED)])
async def test_a_request_that_asks_for_an_upgrade_is_answered_with_its_whole_body(
    port: int, ask: bytes, line: bytes, split: int
) -> None:
    method = line.split()[0].decode()
    for headers, body in ((LENGTH, SMUGGLED), (CHUNKED, IN_CHUNKS)):
        sent = request(ask + headers, line) + body[:split], body[split:] + SMUGGLED, SMUGGLED
        [answer] = answers_in(await converse(port, *sent, pause=0.02))
        assert answer.seen == f"{method} / {len(SMUGGLED)} {crc32(SMUGGLED)}"
        assert answer.closes


async def test_a_long_body_that_comes_with_an_upgrade_in_one_read_is_taken(port: int) -> None:
    body = b"x" * 200_000
    sent = request(UPGRADE + b"Content-Length: %d\r\n" % len(body)) + body
    [answer] = answers_in(await converse(port, sent))
    assert answer.seen == f"POST / {len(body)} {crc32(body)}"


async def test_an_upgrade_offered_without_a_body_is_answered(port: int) -> None:
    sent = request(UPGRADE, b"GET /a HTTP/1.1")
    [answer] = answers_in(await converse(port, sent, SMUGGLED, pause=0.02))
    assert (answer.status, answer.seen, answer.closes) == (200, "GET /a 0 0", True)


@pytest.mark.parametrize("body", [b"", b"5\r\nabc", b"zz\r\n", b"GET / HTTP/1.1\r\n\r\n"])
async def test_an_upgrade_with_a_bad_body_is_no_other_request(port: int, body: bytes) -> None:
    [answer] = answers_in(
        await converse(port, request(UPGRADE + CHUNKED) + body, b"\r\n!", pause=0.02)
    )
    assert (answer.status, answer.closes) == (400, True)


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nX: y\r\n\r\n"),
        (400, request(b"Host: x\r\n")),
        (400, request(b"Host: y\r\n")),
        (400, request(b"", host=b"")),
        *((400, request(b"", host=host)) for host in (b"a b", b"a,b", b"a/b", b"u@a", b"a:b")),
        (400, request(b"Content-Length: 5\r\nContent-Length: 5\r\n")),
        (400, request(b"Content-Length: 5, 5\r\n")),
        (400, request(b"Content-Length: +5\r\n")),
        (400, request(b"Content-Length: -1\r\n")),
        (400, request(b"Content-Length: 0x5\r\n")),
        (400, request(b"Content-Length: 5 5\r\n")),
        (400, request(b"Content-Length:\r\n")),
        (400, request(b"Content-Length: 99999999999999999999\r\n")),
        (400, request(LENGTH + CHUNKED)),
        (400, request(CHUNKED + LENGTH)),
        (400, request(CHUNKED + b"Content-Length: 0\r\n")),
        (400, request(CHUNKED + CHUNKED)),
        (400, request(CHUNKED, b"POST / HTTP/1.0") + IN_CHUNKS),
        *(
            (400, request(b"Transfer-Encoding: %b\r\n" % coding) + IN_CHUNKS)
            for coding in (
                b"chunked, identity",
                b"identity, chunked",
                b"gzip, chunked",
                b"identity",
                b"xchunked",
                b"\x0bchunked",
                b",chunked",
                b"chunked,",
                b"chunked;a=b",
                b'"chunked"',
                b"\r\n chunked",
                b"",
            )
        ),
        (400, request(b"Transfer-Encoding : chunked\r\n")),
        (400, request(b" Transfer-Encoding: chunked\r\n")),
        (400, request(b"X: a\r\n Content-Length: 5\r\n")),
        (400, request(b"X: a\nContent-Length: 5\r\n")),
        (400, request(b"X: a\rContent-Length: 5\r\n")),
        (400, request(b"X: a\0b\r\n")),
        (400, request(b"X\r\n")),
        (400, request(b": a\r\n")),
        (400, request(b"", b"GET /a b HTTP/1.1")),
        (400, request(b"", b"GET /\xff HTTP/1.1")),
        (400, request(b"", b"GET a:80 HTTP/1.1")),
        *(
            (400, request(b"", b"GET %b HTTP/1.1" % target))
            for target in (
                b"*",
                b"*/a",
                b"ftp://x/",
                b"javascript://x/",
                b"http://a@x/",
                b"http://@x/",
                b"http:///",
                b"/a#b",
                b"/a?b#c",
                b"/#",
            )
        ),
        (400, request(b"", b"GET / HTTP/1.2")),
        (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        (417, request(b"Expect: 100-continue, x\r\n")),
        (417, request(b"Expect: y 100-continue\r\n")),
        (501, request(b"", b"CONNECT x:80 HTTP/1.1")),
        (501, request(LENGTH, b"CONNECT x:80 HTTP/1.1")),
        (501, request(b"", b"BREW / HTTP/1.1")),
        (501, request(LENGTH, b"get / HTTP/1.1")),
        (505, b"GET /\r\n\r\n"),
        (505, request(b"", b"GET / HTTP/2.0")),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_what_two_readers_could_end_differently_is_refused_and_nothing_after_it_is_read(
    port: int, status: int, sent: bytes
) -> None:
    """With a problem document, whether what follows comes at once or later."""
    for pieces in ((sent + SMUGGLED,), (sent, SMUGGLED, SMUGGLED)):
        [answer] = answers_in(await converse(port, *pieces, pause=0.01))
        assert (answer.status, answer.closes, answer.seen) == (status, True, "")
        assert answer.headers[b"content-type"] == b"application/problem+json"
        problem = json.loads(answer.body)
        assert problem["status"] == status
        assert problem["request_id"].encode() == answer.headers[b"x-request-id"]


@pytest.mark.parametrize(
    "chunks",
    [
        b"3\nabc\r\n0\r\n\r\n",
        b"3;\nabc\r\n0\r\n\r\n",
        b"3;a\0\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nab\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
        b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"3\r\nabc\r\n0\r\nX : y\r\n\r\n",
        b"3\r\nabc\r\n0\n\r\n",
    ],
    ids=repr,
)
async def test_a_body_that_is_not_in_chunks_is_refused(port: int, chunks: bytes) -> None:
    [answer] = answers_in(await converse(port, request(CHUNKED) + chunks, SMUGGLED, pause=0.02))
    assert (answer.status, answer.closes) == (400, True)


@pytest.mark.parametrize("pause", [0, 0.02], ids=["at once", "later"])
async def test_a_request_that_is_refused_for_its_body_did_nothing(pause: float) -> None:
    """Or, once it is done without a look at the body, its client is told so."""
    done = 0

    async def delete(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal done
        await asyncio.sleep(0.05)
        done += 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(delete) as server:
        sent = request(CHUNKED, b"DELETE / HTTP/1.1"), b"nonsense\r\n" + SMUGGLED
        pieces = sent if pause else (b"".join(sent),)
        [answer] = answers_in(await converse(port_of(server), *pieces, pause=pause))
    assert (answer.status, answer.closes, done) == ((204, True, 1) if pause else (400, True, 0))


async def test_extensions_and_trailers_end_no_request_and_ask_for_nothing(port: int) -> None:
    body = b'3;a=b;c="d"\r\nabc\r\n0;x\r\nX-Trailer: y\r\n%b\r\n' % UPGRADE
    sent = request(CHUNKED) + body + SMUGGLED + request(b"Connection: close\r\n")
    answers = answers_in(await converse(port, sent))
    assert [answer.seen for answer in answers] == [
        f"POST / 3 {crc32(b'abc')}",
        "GET /smuggled 0 0",
        "POST / 0 0",
    ]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (request(b"", b"GET http://y/a?b HTTP/1.1"), "GET /a 0 0"),
        (request(b"", b"GET http://y HTTP/1.1"), "GET / 0 0"),
        (request(b"", b"GET HTTP://[::1]:8000?a HTTP/1.1"), "GET / 0 0"),
        (request(b"", b"GET //y/a@b HTTP/1.1"), "GET //y/a@b 0 0"),
        (request(b"", b"OPTIONS * HTTP/1.1"), "OPTIONS * 0 0"),
        (request(b"", b"GET / HTTP/1.1", b"[::1]:8000"), "GET / 0 0"),
        (request(b"Content-Length: 3\t \r\n") + b"abc", f"POST / 3 {crc32(b'abc')}"),
        (request(b"transfer-encoding: CHUNKED \r\n") + IN_CHUNKS, f"POST / 35 {crc32(SMUGGLED)}"),
        (request(b"Content_Length: 30\r\n"), "POST / 0 0"),
    ],
    ids=repr,
)
async def test_other_forms_of_a_request_are_read(port: int, sent: bytes, expected: str) -> None:
    sent += request(b"Connection: close\r\n")
    assert [answer.seen for answer in answers_in(await converse(port, sent))] == [
        expected,
        "POST / 0 0",
    ]


@pytest.mark.parametrize("line", [b"POST /early HTTP/1.1", b"POST / HTTP/1.1"])
async def test_whoever_waits_to_send_their_body_is_told_to_or_the_connection_ends(
    port: int, line: bytes
) -> None:
    head = request(b"Expect: 100-continue\r\n" + LENGTH, line)
    received = await converse(port, head, SMUGGLED, request(b"Connection: close\r\n"), pause=0.05)
    told = received.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert told == (b"early" not in line)
    answers = answers_in(received)
    assert len(answers) == (2 if told else 1)
    assert answers[-1].closes
    # Who does not wait needs no telling.
    answers = answers_in(await converse(port, head + SMUGGLED + request(b"Connection: close\r\n")))
    assert len(answers) == 2


async def test_nobody_is_told_to_send_their_body_in_the_middle_of_an_answer() -> None:
    async def read_late(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await receive()
        await send({"type": "http.response.body", "body": b"def"})

    async with serving(read_late) as server:
        head = request(b"Expect: 100-continue\r\n" + LENGTH)
        [answer] = answers_in(await converse(port_of(server), head, SMUGGLED, pause=0.05))
    assert (answer.body, answer.closes) == (b"abcdef", True)


async def test_clients_of_http_1_0_are_told_nothing_before_the_answer(port: int) -> None:
    head = request(b"Expect: 100-continue\r\n" + LENGTH, b"POST / HTTP/1.0")
    received = await converse(port, head, SMUGGLED, pause=0.05)
    assert statuses(received) == [200]


async def test_the_rest_of_a_body_answered_early_is_no_request(port: int) -> None:
    head = request(LENGTH, b"POST /early HTTP/1.1")
    last = request(b"Connection: close\r\n")
    answers = answers_in(await converse(port, head, SMUGGLED[:9], SMUGGLED[9:], last, pause=0.02))
    assert [answer.seen for answer in answers] == ["POST /early 0 0", "POST / 0 0"]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("what", ["plain", "pieces", "length", "204", "304"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_answer_ends_where_it_says(
    port: int, version: bytes, what: str, method: str
) -> None:
    line = f"{method} /{what} HTTP/".encode() + version
    sent = request(b"Connection: keep-alive\r\n", line)
    answers = answers_in(await converse(port, sent, sent, ends=True))
    assert len(answers) == (2 if version == b"1.1" else 1)
    for answer in answers:
        assert answer.seen == f"{method} /{what} 0 0"
        content = {"plain": b"def", "204": b"", "304": b""}.get(what, b"abcdef")
        assert answer.body == (content if method == "GET" else b"")
        assert b"transfer-encoding" not in answer.headers or version == b"1.1"
        assert b"content-length" not in answer.headers or what in {"plain", "length"}


async def test_every_answer_says_when_it_was_given(port: int) -> None:
    for sent in (request(b"", b"GET / HTTP/1.0"), b"nonsense\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        [answer] = answers_in(await converse(port, sent))
        parsedate_to_datetime(answer.headers[b"date"].decode())


async def test_a_head_request_is_refused_without_a_body(port: int) -> None:
    received = await converse(port, request(b"Host: y\r\n", b"HEAD / HTTP/1.1"))
    assert statuses(received) == [400]
    assert received.endswith(b"\r\n\r\n")


HEADERS = [
    UPGRADE,
    WEBSOCKET,
    b"Upgrade: x\r\n",
    b"Connection: Upgrade\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 3, 3\r\n",
    CHUNKED,
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"X: a\r\n b\r\n",
    b"X: a\nY: b\r\n",
    b"Host: y\r\n",
    b"Content_Length: 4\r\n",
]
PIECES = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b";", b"5", b"\x80", b"0\r\n\r\n", SMUGGLED]
PATHS = [
    b"/a",
    b"/early",
    b"/slow",
    b"/pieces",
    b"/length",
    b"/204",
    b"/slow-304",
    b"/early-pieces",
]


def any_request(chance: random.Random) -> bytes:
    """Some request, with headers that it may not have."""
    headers = [chance.choice(HEADERS) for _ in range(chance.choice([0, 0, 0, 1, 1, 2]))]
    headers.insert(chance.randrange(len(headers) + 1), b"Host: x\r\n")
    text = chance.choice([b"abcd", SMUGGLED, b"0\r\n\r\n", b"x" * chance.randrange(1, 200)])
    body = b""
    match chance.choice(["none", "length", "chunks"]):
        case "length":
            headers.append(b"Content-Length: %d\r\n" % len(text))
            body = text
        case "chunks":
            headers.append(CHUNKED)
            end = chance.choice([b"", b"", b"X-T: y\r\n", b"Content-Length: 3\r\n", UPGRADE])
            body = b"%x%b\r\n%b\r\n0\r\n%b\r\n" % (
                len(text),
                chance.choice([b"", b";a=b"]),
                text,
                end,
            )
    line = b"%b %b HTTP/%b" % (
        chance.choice([b"GET", b"POST", b"POST", b"HEAD"]),
        chance.choice(PATHS),
        chance.choice([b"1.1"] * 12 + [b"1.0"]),
    )
    return b"%b\r\n%b\r\n%b" % (line, b"".join(headers), body)


def any_stream(chance: random.Random) -> list[bytes]:
    """Requests of a connection in the pieces that it sends, a third of them damaged."""
    stream = b"".join(any_request(chance) for _ in range(chance.randrange(1, 5)))
    if chance.random() < 0.35:
        at = chance.randrange(len(stream) + 1)
        left_out = chance.randrange(3)
        stream = stream[:at] + chance.choice(PIECES) + stream[at + left_out :]
    cuts = sorted(chance.randrange(len(stream)) for _ in range(chance.choice([0, 0, 1, 3])))
    ends = [*cuts, len(stream)]
    return [stream[a:b] for a, b in zip([0, *cuts], ends, strict=True) if a < b]


async def check(port: int, seed: int) -> None:
    """One connection: as many answers as a strict reader sees requests, or it ends before."""
    pieces = any_stream(random.Random(seed))
    stream = b"".join(pieces)
    reading = read(stream)
    received = await converse(port, *pieces, pause=0.002, ends=True)
    if received == b"reset" and any(one.last for one in reading.requests):
        return  # who sends on after the last request may miss its answer
    answers = answers_in(received)
    seen = [answer.seen for answer in answers if answer.seen]
    expected = [one.seen for one in reading.requests]
    if reading.begun and len(seen) == len(expected) + 1 and " /early" in seen[-1]:
        expected.append(seen[-1])
    assert len(seen) <= len(expected), (seed, pieces, seen)
    for one, other in zip(seen, expected, strict=False):
        assert one == other or " /early" in one, (seed, pieces, seen)
    refusals = [answer for answer in answers if not answer.seen]
    assert refusals in ([], answers[-1:]), (seed, pieces)
    assert all(answer.closes for answer in refusals)
    # Fewer answers than requests only where the server said that it ends.
    assert len(seen) == len(expected) or answers[-1].closes, (seed, pieces, seen)


async def test_as_many_answers_come_as_a_strict_reader_sees_requests(port: int) -> None:
    for start in range(0, 400, 20):
        await asyncio.gather(*(check(port, seed) for seed in range(start, start + 20)))
