"""One request and its answer: ASGI on one side, the bytes of an HTTP/1.1 answer on the other.

The framing of an answer (RFC 9112, section 6) is decided here alone, whatever headers the
application sends: where an answer ends must not be a matter of opinion.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus
from http.client import responses
from typing import Protocol

from starlette.types import ASGIApp, Message, Scope

from src.exceptions import AppError
from src.http.protocol.outlet import Outlet

logger = logging.getLogger(__name__)

Headers = Sequence[tuple[bytes, bytes]]

# An extension of the scope: an asyncio.Event that is set once the client has closed its side.
CLIENT_GONE = "plaza.client_gone"

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH, _CONNECTION = b"content-length: ", b"connection: "
_FRAMING = frozenset({_LENGTH, _CONNECTION, b"transfer-encoding: "})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_CONTENT = int(HTTPStatus.NO_CONTENT)  # to look up a member of an enum takes longer
_WITHOUT_CONTENT = frozenset({_NO_CONTENT, int(HTTPStatus.NOT_MODIFIED)})
_FINAL = range(200, 600)


class Connection(Protocol):
    """What an exchange asks of its connection."""

    @property
    def answer_headers(self) -> Headers:
        """The headers of every answer."""

    @property
    def outlet(self) -> Outlet:
        """Where answers go out."""

    @property
    def transport(self) -> asyncio.Transport:
        """What they are written to."""

    def resume_reading(self, exchange: "Exchange") -> None:
        """Read on for this exchange."""

    def answered(self, exchange: "Exchange") -> None:
        """The answer is complete."""

    def failed(self, exchange: "Exchange") -> None:
        """The application ended before its answer was complete."""

    def ended(self, exchange: "Exchange") -> None:
        """The application ended."""


class Exchange:
    """One request and its answer.

    `whole` says that the request has been read to its end, `last` that the connection ends with the
    answer, `size` is how many bytes of memory it is counted for.
    """

    def __init__(
        self, connection: Connection, scope: Scope, *, last: bool, expects_continue: bool
    ) -> None:
        self.scope = scope
        self.last = last
        self.whole = False
        self.answered = False
        self.gone = False
        self.is_cut = False
        self.refusal: AppError | None = None
        self.begun = False  # the answer, on the wire
        self.task: asyncio.Task[None] | None = None
        self.size = 0
        self._connection = connection
        self._expects_continue = expects_continue
        self._body = bytearray()
        self._delivered = False
        self._changed: asyncio.Event | None = None  # set by what `receive` waits for
        self._start: Message | None = None
        self._chunked = False
        self._silent = False
        self._left: int | None = None

    @property
    def buffered(self) -> int:
        """How many bytes of the body wait for the application."""
        return len(self._body)

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.answered or self.gone

    def add(self, body: bytes) -> None:
        """A piece of the body has come."""
        self._body += body
        self._wake()

    def complete(self) -> None:
        """The request has been read to its end."""
        self.whole = True
        self._wake()

    def cut(self, refusal: AppError | None) -> None:
        """The rest of its body will not be read.

        What the application does without the body stays done, and is answered. If it asks for more,
        or was not begun, the client gets the refusal, or nothing.
        """
        self.is_cut, self.refusal, self.last = True, refusal, True
        self._drop()

    def leave(self) -> None:
        """The client is gone, or will not be answered."""
        self.gone = True
        self._drop()

    async def run(self, app: ASGIApp) -> None:
        """Let the application answer."""
        try:
            if not self.is_cut:
                await app(self.scope, self.receive, self.send)
        except Exception:
            logger.exception("the application failed")
        finally:
            if not self.over:
                self._connection.failed(self)
            self._connection.ended(self)

    async def receive(self) -> Message:
        """The next piece of the body; afterwards, that the client is gone or has its answer."""
        if self._expects_continue and not (self.buffered or self.whole or self.over or self.begun):
            self._expects_continue = False
            self._connection.transport.write(_CONTINUE)
        while not (self.over or self.is_cut or self._has_news):
            self._connection.resume_reading(self)
            self._changed = self._changed or asyncio.Event()
            self._changed.clear()
            await self._changed.wait()
        if self.is_cut and not self.over:
            self._connection.failed(self)
        if self.over:
            return {"type": "http.disconnect"}
        body = bytes(self._body)
        self._body.clear()
        self._delivered = self.whole
        return {"type": "http.request", "body": body, "more_body": not self.whole}

    async def send(self, message: Message) -> None:
        """Send a part of the answer; the head goes out with the first piece of the body.

        Raises:
            RuntimeError: the application contradicts itself or HTTP.
        """
        if self._connection.outlet.is_blocked:
            await self._connection.outlet.freed()
        if self.gone:
            return
        if message["type"] == "http.response.start" and self._start is None:
            self._start = message
            return
        if message["type"] != "http.response.body" or self._start is None or self.answered:
            raise RuntimeError(f"{message['type']} is out of turn")
        body, more = message.get("body", b""), message.get("more_body", False)
        head = b"" if self.begun else self._head(self._start, len(body), more=more)
        content = self._framed(body, more=more)
        if head or content:
            self.begun = True
            self._connection.transport.write(head + content)
        if not more:
            self.answered = True
            self._drop()
            self._connection.answered(self)

    @property
    def _has_news(self) -> bool:
        return not self._delivered and bool(self.buffered or self.whole)

    def _drop(self) -> None:
        self._body.clear()
        self._wake()

    def _wake(self) -> None:
        if self._changed:
            self._changed.set()

    def _head(self, start: Message, size: int, *, more: bool) -> bytes:
        status: int = start["status"]
        fields, self._left, closes = _read([*self._connection.answer_headers, *start["headers"]])
        own: list[bytes] = []
        self._silent = self.scope["method"] == "HEAD" or status in _WITHOUT_CONTENT
        if self._left is None and not self._silent:
            if not more:
                self._left = size
            elif self.scope["http_version"] == "1.1":
                self._chunked = True
                own.append(b"transfer-encoding: chunked\r\n")
            else:
                closes = True  # the end of the connection is the end of the answer
        if self._left is not None and status != _NO_CONTENT:
            own.append(b"content-length: %d\r\n" % self._left)
        # A client that waits for `100 Continue` may send the body after this answer, or not.
        self.last = self.last or closes or (self._expects_continue and not self.whole)
        if self.last:
            own.append(b"connection: close\r\n")
        return _head(status, fields + own)

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        if self._silent:
            return b""
        if self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the answer is not as long as its Content-Length")
        return body


def closing_answer(status: int, headers: Headers, body: bytes) -> bytes:
    """A whole answer that ends the connection."""
    fields, _, _ = _read(headers)
    own = [b"content-length: %d\r\n" % len(body), b"connection: close\r\n"]
    return _head(status, fields + own) + body


def _read(headers: Iterable[tuple[bytes, bytes]]) -> tuple[list[bytes], int | None, bool]:
    """The lines of headers, their Content-Length, and whether they end the connection.

    Those that frame the answer are left out of the lines.
    """
    lines: list[bytes] = []
    lengths: list[bytes] = []
    closes = False
    for name, value in headers:
        encoded = _encoded(name)
        if encoded not in _FRAMING:
            lines.append(encoded + value + b"\r\n")
        elif encoded == _LENGTH:
            lengths.append(value)
        elif encoded == _CONNECTION:
            closes = closes or b"close" in value.lower()
    if not lengths:
        return lines, None, closes
    if len(lengths) > 1 or not lengths[0].isdigit():
        raise RuntimeError("Content-Length is not one length")
    return lines, int(lengths[0]), closes


def _head(status: int, lines: list[bytes]) -> bytes:
    if status not in _FINAL:
        raise RuntimeError(f"{status} is not the status of an answer")
    head = b"%b%b\r\n" % (_status_line(status), b"".join(lines))
    breaks = len(lines) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise RuntimeError("a header's value has a line break or a NUL in it")
    return head


@lru_cache(1000)
def _encoded(name: bytes) -> bytes:
    if not _NAME.fullmatch(name):
        raise RuntimeError(f"{name!r} is not the name of a header")
    return name.lower() + b": "


@lru_cache
def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {responses.get(status, '')}\r\n".encode()
