"""The reads of personal access tokens."""

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, func, literal_column, tuple_

from src.pagination import decode_cursor
from src.personal_tokens.models import PersonalToken
from src.personal_tokens.schemas import PersonalTokenFilter
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Read

PERSONAL_TOKEN = Shape(
    {
        "id": PersonalToken.id,
        "name": PersonalToken.name,
        "scopes": func.string_to_array(PersonalToken.scope, " "),
        "created_at": PersonalToken.created_at,
        "expires_at": PersonalToken.expires_at,
        "last_used_at": PersonalToken.last_used_at,
    }
)

_own_token = Read(
    PERSONAL_TOKEN,
    lambda rows: rows.where(
        PersonalToken.user_id == bindparam("user_id"), PersonalToken.id == bindparam("token_id")
    ),
)


async def read_token(reads: Pool, user_id: UUID, token_id: UUID) -> Document | None:
    """The user's token."""
    return await _own_token.first(reads, user_id=user_id, token_id=token_id)


async def list_tokens(reads: Pool, user_id: UUID, which: PersonalTokenFilter) -> list[Document]:
    """One row more than a page of the user's tokens, newest first.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    parameters: dict[str, object] = {"user_id": user_id}
    if which.cursor is not None:
        parameters["at"], parameters["id"] = decode_cursor(which.cursor)
    return await _page(which.limit + 1, which.cursor is not None).all(reads, **parameters)


@lru_cache(maxsize=256)
def _page(limit: int, follows: bool) -> Read:  # noqa: FBT001 - a part of the cache's key
    """The read of a first or a following page, compiled once."""

    def narrow(rows: Select[Any]) -> Select[Any]:
        if follows:
            key = tuple_(PersonalToken.created_at, PersonalToken.id)
            rows = rows.where(key < tuple_(bindparam("at"), bindparam("id")))
        return (
            rows.where(PersonalToken.user_id == bindparam("user_id"))
            .order_by(PersonalToken.created_at.desc(), PersonalToken.id.desc())
            .limit(literal_column(str(limit)))
        )

    return Read(PERSONAL_TOKEN, narrow)
