"""Keyset pagination: a page follows the last row of the one before; nothing shifts or repeats."""

import base64
import binascii
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from pydantic import Field
from starlette.responses import Response

from src.addresses.public_path import path_of
from src.exceptions import InvalidInputError
from src.http.responses import DocumentResponse
from src.sql.shapes import Document

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_CURSOR_LENGTH = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = struct.Struct(">q16s")  # microseconds since the epoch, id

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Items on a page")]
Cursor = Annotated[
    str, Field(max_length=MAX_CURSOR_LENGTH, description="`next_cursor` of the page before")
]


def encode_cursor(at: datetime, row_id: UUID) -> str:
    """The opaque cursor of a row in a list ordered by a time, then by id."""
    key = _KEY.pack((at - _EPOCH) // timedelta(microseconds=1), row_id.bytes)
    return base64.urlsafe_b64encode(key).decode()


def decode_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The time and id of the row that a cursor stands for.

    Raises:
        InvalidInputError: it is not one of ours.
    """
    try:
        microseconds, row_id = _KEY.unpack(base64.b64decode(cursor, b"-_", validate=True))
        return _EPOCH + timedelta(microseconds=microseconds), UUID(bytes=row_id)
    except (binascii.Error, struct.error, OverflowError, ValueError):
        raise InvalidInputError.at("query", "cursor", type="cursor_invalid") from None


def page_response(
    request: Request, rows: Sequence[Document], limit: int, sort_field: str
) -> Response:
    """A page of the first `limit` rows; a further row means that another page follows."""
    items = rows[:limit]
    headers: dict[str, str] = {}
    if "authorization" in request.headers:  # it may hold what others must not see
        headers["Cache-Control"] = "private, no-cache"
    next_cursor = None
    if len(rows) > limit:
        next_cursor = encode_cursor(items[-1][sort_field], UUID(items[-1]["id"]))
        query = [
            (key, value) for key, value in request.query_params.multi_items() if key != "cursor"
        ]
        url = f"{path_of(request.scope)}?{urlencode([*query, ('cursor', next_cursor)])}"
        headers["Link"] = f'<{url}>; rel="next"'
    return DocumentResponse({"items": items, "next_cursor": next_cursor}, headers=headers)
