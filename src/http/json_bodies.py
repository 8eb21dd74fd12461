"""JSON that comes in: a name that comes twice in one object is refused (RFC 8259, section 4).

Parsers disagree on which of the two counts, so whoever looked at one may let the other through.
"""

import json
from typing import Any

import orjson
from fastapi import Request
from starlette.exceptions import HTTPException

from src.exceptions import InvalidInputError

EXACT_INTEGERS = 2**63  # beyond them orjson makes floats, which have fewer digits


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
    return document if _is_whole(document, body.count(b":")) else _read_again(body)


async def refuse_repeated_members(request: Request) -> None:
    """The same for a body that FastAPI has parsed.

    Raises:
        RepeatedMemberError: a name comes twice in one object.
        HTTPException: it is nested too deeply to tell.
    """
    if hasattr(request, "_json"):  # there is no public way to ask
        _read_again(await request.body())


def _is_whole(document: Any, colons: int) -> bool:
    """Whether the objects have as many members, and no integer can have become a float."""
    values = [document]
    for value in values:
        if isinstance(value, dict):
            colons -= len(value)
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)
        elif isinstance(value, float) and abs(value) >= EXACT_INTEGERS:
            return False
    return not colons


def _read_again(body: bytes) -> Any:
    try:
        return json.loads(body, object_pairs_hook=_unique_members)
    except RecursionError:
        raise HTTPException(400) from None


def _unique_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(members)
    if len(unique) < len(members):
        raise RepeatedMemberError.at("body", type="repeated")
    return unique
