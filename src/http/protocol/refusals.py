"""What no application gets to see: requests whose end two readers could find in different places.

llhttp refuses what is no HTTP/1.1 by itself; `check_head` refuses what it lets through. Whoever
sends such a request gets a problem document, and nothing of what follows is read.
"""

import re
from collections.abc import Mapping

from src.exceptions import AppError, MalformedRequestError
from src.http.middleware import CONTENT_SECURITY_POLICY, SECURITY_HEADERS, new_request_id
from src.http.problems import answer_to
from src.http.protocol.exchange import Headers, closing_answer

# The names of the headers that `check_head` wants to see.
CHECKED_NAMES = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
# No commas and the like, which no name has: two Hosts could be joined by one.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_TARGET = re.compile(rb"(?i)(?:https?://[^/?#@]+(?=[/?]|$)|/)[^#]*")
_REQUEST_LINE = re.compile(rb"(?m)^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]\r$")


class UnknownExpectationError(AppError):
    """An `Expect` that is not `100-continue` (RFC 9110, section 10.1.1)."""

    status = 417
    code = "expectation_failed"
    title = "The server does not know that expectation"


class HeadTooLargeError(AppError):
    """A request's head, or what surrounds the chunks of its body."""

    status = 431
    code = "request_header_fields_too_large"
    title = "The request's head is too large"


class UnknownMethodError(AppError):
    """A method that no resource has, CONNECT included (RFC 9110, section 9.1)."""

    status = 501
    code = "not_implemented"
    title = "The server does not know that method"


class UnknownVersionError(AppError):
    """Neither HTTP/1.0 nor HTTP/1.1."""

    status = 505
    code = "http_version_not_supported"
    title = "The server speaks HTTP/1.1"


def check_head(method: str, target: bytes, version: str, checked: Headers) -> Mapping[bytes, bytes]:
    """Look at what decides where a request ends, and whom it is for (RFC 9112, sections 3.2, 6.1).

    `checked` are its headers of `CHECKED_NAMES`, which come back by name.

    Raises:
        AppError: it is refused.
    """
    if version not in {"1.1", "1.0"}:
        raise UnknownVersionError
    if method == "CONNECT":
        raise UnknownMethodError
    if not _TARGET.fullmatch(target) and (method, target) != ("OPTIONS", b"*"):
        raise MalformedRequestError("The target is neither a path nor a URL of HTTP")
    found = dict(checked)
    host, coding = found.get(b"host"), found.get(b"transfer-encoding")
    if len(found) != len(checked):
        raise MalformedRequestError("A header came twice")
    if host is None and version == "1.1":
        raise MalformedRequestError("Host is missing")
    if host is not None and not _HOST.fullmatch(host):
        raise MalformedRequestError("Host is not a host")
    if coding is not None and (coding.lower() != b"chunked" or version == "1.0"):
        raise MalformedRequestError("Transfer-Encoding is not chunked")
    if found.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise UnknownExpectationError
    return found


def unknown_method(data: bytes) -> AppError:
    """What to say of bytes in which llhttp knows no method: there is one, or it is not HTTP."""
    return UnknownMethodError() if _REQUEST_LINE.search(data) else MalformedRequestError()


def encoded(
    error: AppError, answer_headers: Headers, path: str = "/", *, silent: bool = False
) -> bytes:
    """The answer that ends a connection: a problem document, or `silent`, its head alone."""
    request_id = new_request_id()
    state = {"request_id": request_id, "public_path": ""}  # the settings are the application's
    answer = answer_to(error, {"headers": [], "path": path, "state": state})
    headers = [
        *answer_headers,
        *answer.raw_headers,
        CONTENT_SECURITY_POLICY,
        (b"x-request-id", request_id.encode()),
        *SECURITY_HEADERS,
    ]
    return closing_answer(error.status, headers, b"" if silent else bytes(answer.body))
