"""Pages of lists."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import Field
from starlette.responses import Response

from src.addresses.public_path import path_of
from src.http.responses import DocumentResponse
from src.schemas import Input
from src.sql.listing import DEFAULT_LIMIT, MAX_LIMIT, Listed

MAX_CURSOR_LENGTH = 250  # of the longest tag, in base64

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Items on a page")]
Cursor = Annotated[
    str, Field(max_length=MAX_CURSOR_LENGTH, description="`next_cursor` of the page before")
]


class PageQuery(Input):
    """Which page of a list."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


PageDep = Annotated[PageQuery, Query()]


def page_response(
    request: Request, which: PageQuery, listed: Listed, *, limit: int | None = None
) -> Response:
    """A page of the list; a further row means that another page follows.

    It is shorter than asked for with a `limit` below that of the query.
    """
    limit = which.limit if limit is None else limit
    items = listed.rows[:limit]
    headers: dict[str, str] = {}
    if "authorization" in request.headers:  # it may hold what others must not see
        headers["Cache-Control"] = "private, no-cache"
    next_cursor = None
    if len(listed.rows) > limit:
        next_cursor = listed.cursor(limit - 1)
        query = [
            (key, value) for key, value in request.query_params.multi_items() if key != "cursor"
        ]
        url = f"{path_of(request.scope)}?{urlencode([*query, ('cursor', next_cursor)])}"
        headers["Link"] = f'<{url}>; rel="next"'
    return DocumentResponse({"items": items, "next_cursor": next_cursor}, headers=headers)
