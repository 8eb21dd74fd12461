"""Answers made of documents: JSON bytes, entity tags and conditional requests (RFC 9110)."""

import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import orjson
from fastapi import Depends, Header, Request
from fastapi.responses import Response

from src.addresses.public_path import path_of
from src.exceptions import PreconditionFailedError
from src.sql.shapes import Document

# The headers of an answer that holds a token (RFC 6749, section 5.1).
NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# A tag of a list, without what a proxy that compresses makes of it: `W/"1"` (nginx, Cloudflare),
# `"1-gzip"` (Apache, Caddy), `"1--gzip"` (Jetty), `"1;gzip"`.
_TAG = re.compile(r'(?<![^\s,])(?:W/)?"([^"\s]*?)(?:(?:--?|;)(?:gzip|br|zstd|deflate))?"(?![^\s,])')
_OWN_TAG = re.compile(r"([0-9]+)(?:-[0-9a-f]{8})?")


class JSONBytesResponse(Response):
    """JSON that is encoded already.

    Starlette's own way to the same headers takes three times as long.
    """

    media_type: str | None = "application/json"

    def __init__(
        self, body: bytes, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status_code = status_code
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]
        for name, value in (headers or {}).items():
            self.raw_headers.append((name.lower().encode(), value.encode("latin-1")))


class DocumentResponse(JSONBytesResponse):
    """A document as JSON; times in UTC end in `Z`."""

    def __init__(
        self, document: object, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(encode(document), status_code, headers)


def encode(document: object) -> bytes:
    """The document in JSON."""
    return orjson.dumps(document, default=str, option=orjson.OPT_UTC_Z)


def entity_tag(version: int, body: bytes) -> str:
    """A strong tag: the stored version, for `If-Match`, and a checksum of the representation."""
    return f'"{version}-{zlib.crc32(body):08x}"'


def created(request: Request, document: Document) -> Response:
    """201 with the new document, its address below the request's, and its `ETag`."""
    body = encode(document)
    headers = {
        "ETag": entity_tag(document["version"], body),
        "Location": f"{path_of(request.scope)}/{document['id']}",
    }
    return JSONBytesResponse(body, 201, headers)


def versioned(request: Request, document: Document) -> Response:
    """The document with its `ETag`, or 304 when the caller's `If-None-Match` still holds."""
    body = encode(document)
    tag = entity_tag(document["version"], body)
    if request.scope["method"] != "GET":
        return JSONBytesResponse(body, headers={"ETag": tag})
    caching = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _is_known(request, tag):
        return Response(status_code=304, headers=caching)
    return JSONBytesResponse(body, headers=caching)


@dataclass(frozen=True, slots=True)
class PublicDocument:
    """A document that is the same for everybody, and that caches keep for `max_age` seconds.

    Its `tag` is of the body alone: such a document is not changed, so it has no version.
    """

    body: bytes
    media_type: str
    max_age: int
    tag: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.blake2b(self.body, digest_size=16).hexdigest()
        object.__setattr__(self, "tag", f'"{digest}"')

    def answer(self, request: Request) -> Response:
        """The document with its `ETag`, or 304 when the caller's `If-None-Match` still holds."""
        headers = {"ETag": self.tag, "Cache-Control": f"public, max-age={self.max_age}"}
        if _is_known(request, self.tag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.media_type)


def moved(request: Request, last: str) -> Response:
    """301 to the same address with another last part.

    It is asked for again each time: what was renamed back would lead in a circle.
    """
    path = path_of(request.scope).rpartition("/")[0]
    headers = {"Location": f"{path}/{last}", "Cache-Control": "private, no-cache"}
    return Response(status_code=301, headers=headers)


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The caller's condition on the version about to be changed."""

    header: str | None

    def check(self, version: int) -> None:
        """Hold the caller to the version they have read, if they name one.

        Raises:
            PreconditionFailedError: `If-Match` names other versions only.
        """
        if self.header is None or self.header.strip() == "*":
            return
        # Weak or not, the version in a tag is exact.
        own = filter(None, map(_OWN_TAG.fullmatch, _TAG.findall(self.header)))
        if not any(tag.group(1) == str(version) for tag in own):
            raise PreconditionFailedError


async def get_if_match(if_match: Annotated[str | None, Header(max_length=1000)] = None) -> IfMatch:
    """The request's condition."""
    return IfMatch(if_match)


IfMatchDep = Annotated[IfMatch, Depends(get_if_match)]


def is_named(tag: str, header: str) -> bool:
    """Whether an `If-None-Match` names the tag, also as a proxy that compresses wrote it."""
    return header.strip() == "*" or tag.strip('"') in _TAG.findall(header)


def _is_known(request: Request, tag: str) -> bool:
    """Whether the caller has what the tag is of."""
    return any(
        name == b"if-none-match" and is_named(tag, known.decode("latin-1"))
        for name, known in request.scope["headers"]
    )
