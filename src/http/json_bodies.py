"""JSON that comes in: a name that comes twice in one object is refused (RFC 8259, section 4).

Parsers disagree on which of the two counts, so whoever looked at one may let the other through.
"""

import json
from typing import Any

import orjson
from fastapi import Request
from starlette.exceptions import HTTPException

from src.exceptions import InvalidInputError


class RepeatedMemberError(InvalidInputError):
    """A name comes twice in one object."""


def loads(body: bytes) -> Any:
    """The document.

    Raises:
        orjson.JSONDecodeError: it is none.
        RepeatedMemberError: a name comes twice in one object.
        HTTPException: it is nested too deeply to tell.
    """
    document = orjson.loads(body)
    # Every member is written with a colon. With more of them than members, some are in texts, or
    # members are lost: only then it is read again, which takes ten times as long.
    if body.count(b":") != _count_members(document):
        _require_unique_members(body)
    return document


async def refuse_repeated_members(request: Request) -> None:
    """The same for a body that FastAPI has parsed.

    Raises:
        RepeatedMemberError: a name comes twice in one object.
        HTTPException: it is nested too deeply to tell.
    """
    if hasattr(request, "_json"):  # there is no public way to ask
        _require_unique_members(await request.body())


def _count_members(document: Any) -> int:
    """The members of all objects in the document."""
    count = 0
    values = [document]
    for value in values:
        if isinstance(value, dict):
            count += len(value)
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)
    return count


def _require_unique_members(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=_unique_members)
    except RecursionError:
        raise HTTPException(400) from None


def _unique_members(members: list[tuple[str, Any]]) -> None:
    if len(dict(members)) < len(members):
        raise RepeatedMemberError.at("body", type="repeated")
