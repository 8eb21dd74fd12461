"""The feed of those one follows, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, Security

from src.access.principals import Principal, current_principal
from src.dependencies import ReadsDep
from src.pagination import page_response
from src.posts.following.lists import read_feed
from src.posts.lists import page_length
from src.posts.schemas import PostListItem, PostPage
from src.schemas import Page

router = APIRouter(prefix="/feed", tags=["posts"])
# It tells whom one follows.
FeedReader = Annotated[
    Principal, Security(current_principal, scopes=["posts:read", "follows:read"])
]


@router.get("", response_model=Page[PostListItem])
async def get_feed(
    request: Request, which: Annotated[PostPage, Query()], me: FeedReader, reads: ReadsDep
) -> Response:
    """Get what those publish whom you follow, newest first."""
    listed = await read_feed(reads, which, me.user_id)
    return page_response(request, which, listed, limit=page_length(listed.rows, which.limit))
