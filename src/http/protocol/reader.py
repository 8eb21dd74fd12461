"""The requests in what a connection sends, each read by its framing (RFC 9112, section 6)."""

from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from src.exceptions import AppError, MalformedRequestError
from src.http.protocol.refusals import (
    CHECKED_NAMES,
    HeadTooLargeError,
    check_head,
    unknown_method,
)

MAX_HEAD_BYTES = 64 * 1024  # and as many between or after the chunks of a body
MAX_HEADERS = 100  # each takes much more memory than it has bytes


class Receiver(Protocol):
    """What is told of the requests."""

    def begins(self) -> None:
        """The first byte of a request was read. May raise, and nothing more is read."""

    def head(self, scope: MutableMapping[str, Any], *, last: bool, expects_continue: bool) -> None:
        """Its head was read: what it adds to a scope of ASGI; `last` of its connection or not."""

    def body(self, data: bytes) -> None:
        """A piece of its body was read."""

    def ends(self) -> None:
        """Its last byte was read."""


class RequestReader:
    """llhttp, which reads none of the requests that ask for an upgrade, made to read all.

    Nothing is ever upgraded here: the request is answered as if it had not asked (RFC 9110, section
    7.8), after its whole body, and is the last of its connection.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.in_request = False  # its first byte was read, its last was not
        self.size = 0  # how many bytes of it are kept: of its target, headers and body
        self._receiver = receiver
        self._parser: Any = httptools.HttpRequestParser(self)
        self._method = ""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._checked: list[tuple[bytes, bytes]] = []
        # What was read after the read that brought the latest piece of a body or end of a request.
        self._overhead = 0

    @property
    def method(self) -> str:
        """That of the latest request, as far as it was read."""
        method: str = self._method or self._parser.get_method().decode()
        return method

    @property
    def path(self) -> str:
        """Its path."""
        return self._url.partition(b"?")[0].decode("latin-1") or "/"

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            AppError: what follows cannot be read, or must not.
        """
        self._overhead += len(data)
        self._parse(data)
        if self._overhead > MAX_HEAD_BYTES:
            raise HeadTooLargeError

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(
                SimpleNamespace(on_body=self.on_body, on_message_complete=self.on_message_complete)
            )
            # The same headers, but those that ask for the upgrade; the parser ends where they do.
            headers = b"".join(b"%b: %b\r\n" % header for header in self._checked)
            self._parse(b"POST / HTTP/1.1\r\nConnection: close\r\n%b\r\n" % headers)
            self._parse(data[upgrade.args[0] :])
        except httptools.HttpParserInvalidMethodError:
            raise unknown_method(data) from None
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise cause if isinstance(cause, AppError) else MalformedRequestError() from None

    def stop(self) -> None:
        """Read nothing more, and drop what was read."""
        self._parser = None
        self._headers = []

    def on_message_begin(self) -> None:
        """A request begins."""
        self.in_request = True
        self.size = 0
        self._method, self._url, self._headers, self._checked = "", b"", [], []
        self._receiver.begins()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url
        self.size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        name, value = name.lower(), value.rstrip(b" \t")
        if len(self._headers) == MAX_HEADERS:
            raise HeadTooLargeError
        if name in CHECKED_NAMES:
            self._checked.append((name, value))
        self._headers.append((name, value))
        self.size += len(name) + len(value)

    def on_headers_complete(self) -> None:
        """A request's head is complete."""
        parser, headers, self._headers = self._parser, self._headers, []  # trailers are no headers
        method = self._method = parser.get_method().decode("ascii")
        version = parser.get_http_version()
        checked = check_head(method, self._url, version, self._checked)
        url = httptools.parse_url(self._url)
        raw_path = url.path or b"/"
        scope = {
            "method": method,
            "http_version": version,
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": url.query or b"",
            "headers": headers,
        }
        self._receiver.head(
            scope,
            last=version == "1.0" or not parser.should_keep_alive() or parser.should_upgrade(),
            expects_continue=version == "1.1" and b"expect" in checked,
        )

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._overhead = 0
        self.size += len(data)
        self._receiver.body(data)

    def on_message_complete(self) -> None:
        """The request is complete, or llhttp says so of one that asks for an upgrade."""
        if not self._parser.should_upgrade():
            self._overhead = 0
            self.in_request = False
            self._url, self._headers, self._checked = b"", [], []
            self._receiver.ends()
