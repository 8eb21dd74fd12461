"""What RFC 9112 makes of a stream of bytes, read strictly and without llhttp."""

import re
from dataclasses import dataclass
from zlib import crc32

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) +([!-~]+) +HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_HOST = re.compile(rb"[A-Za-z0-9._~%-]+(:[0-9]*)?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(;[!#$%&'*+.^_`|~0-9A-Za-z=\";-]*)?")


class RefusedError(Exception):
    """No request, or an ambiguous one."""


class UnfinishedError(Exception):
    """The stream ends before the request does."""


@dataclass(frozen=True)
class Request:
    """A request as both sides have to see it."""

    method: str
    target: str
    size: int
    checksum: int
    last: bool

    @property
    def seen(self) -> str:
        """What the application says of it."""
        return f"{self.method} {self.target} {self.size} {self.checksum}"


class Stream:
    """The bytes that are left, and whether a request in them was begun: its head is complete."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.begun = False

    def line(self) -> bytes:
        line, found, rest = self.data.partition(b"\r\n")
        if re.search(rb"[\r\n]", line.removesuffix(b"\r") if not found else line):
            raise RefusedError
        if not found:
            raise UnfinishedError
        self.data = rest
        return line

    def take(self, size: int) -> bytes:
        taken, self.data = self.data[:size], self.data[size:]
        if len(taken) < size:
            raise UnfinishedError
        return taken

    def fields(self) -> list[tuple[bytes, bytes]]:
        fields = []
        while line := self.line():
            if not (field := _FIELD.fullmatch(line)):
                raise RefusedError
            fields.append((field[1].lower(), field[2]))
        return fields


@dataclass(frozen=True)
class Reading:
    """The complete requests of a connection, and what became of what follows them.

    `begun` is whether that has a complete head, so that it may be answered before its body is read.
    """

    requests: list[Request]
    refused: bool
    begun: bool


def read(data: bytes) -> Reading:
    """Read a connection to its end."""
    stream, requests = Stream(data), list[Request]()
    try:
        while not (requests and requests[-1].last):
            stream.data = stream.data.lstrip(b"\r\n")
            if not stream.data:
                break
            requests.append(_request(stream))
    except RefusedError:
        return Reading(requests, refused=True, begun=stream.begun)
    except UnfinishedError:
        return Reading(requests, refused=False, begun=stream.begun)
    return Reading(requests, refused=False, begun=False)


def _request(stream: Stream) -> Request:
    stream.begun = False
    line = _LINE.fullmatch(stream.line())
    if not line or line[1] not in {b"GET", b"POST", b"HEAD"} or not line[2].startswith(b"/"):
        raise RefusedError
    fields = stream.fields()
    names = [name for name, _ in fields]
    for once in (b"host", b"content-length", b"transfer-encoding", b"expect"):
        if names.count(once) > 1:
            raise RefusedError
    found = dict(fields)
    if not _HOST.fullmatch(found.get(b"host", b"x" if line[3] == b"0" else b"")):
        raise RefusedError
    if found.get(b"expect", b"100-continue") != b"100-continue":
        raise RefusedError
    connection = {
        token.strip().lower()
        for name, value in fields
        if name == b"connection"
        for token in value.split(b",")
    }
    upgrades = b"upgrade" in connection and b"upgrade" in found
    framing = _framing(found, line[3] == b"1")
    stream.begun = True
    body = _chunked(stream) if framing is None else stream.take(framing)
    return Request(
        line[1].decode(),
        line[2].decode(),
        len(body),
        crc32(body),
        line[3] == b"0" or b"close" in connection or upgrades,
    )


def _framing(found: dict[bytes, bytes], is_1_1: bool) -> int | None:  # noqa: FBT001
    """The length of the body, or None: it is chunked."""
    length, coding = found.get(b"content-length"), found.get(b"transfer-encoding")
    if coding is None:
        if length is not None and not re.fullmatch(rb"[0-9]{1,18}", length):
            raise RefusedError
        return int(length or b"0")
    if length is not None or coding.lower() != b"chunked" or not is_1_1:
        raise RefusedError
    return None


def _chunked(stream: Stream) -> bytes:
    body = b""
    while True:
        if not (chunk := _CHUNK.fullmatch(stream.line())):
            raise RefusedError
        if not (size := int(chunk[1], 16)):
            break
        body += stream.take(size)
        if not b"\r\n".startswith(stream.data[:2]):
            raise RefusedError
        stream.take(2)
    if {b"content-length", b"transfer-encoding"} & {name for name, _ in stream.fields()}:
        raise RefusedError
    return body
