"""Likes and bookmarks over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from src.dependencies import ReadsDep, provides
from src.pagination import page_response
from src.posts.dependencies import PostKey, PostReader, PostWriter
from src.posts.lists import page_length
from src.posts.reactions.models import Bookmark, Like
from src.posts.reactions.reads import BOOKMARKS
from src.posts.reactions.service import ReactionService
from src.posts.schemas import PostListItem, PostPage
from src.schemas import Page

router = APIRouter(tags=["posts"])

Reactions = Annotated[ReactionService, provides(ReactionService)]


@router.put("/posts/{post_id}/like", status_code=204, response_class=Response)
async def like_post(post_id: PostKey, me: PostWriter, reactions: Reactions) -> None:
    """Like a published post, or your own."""
    await reactions.give(Like, me.user_id, post_id)


@router.delete("/posts/{post_id}/like", status_code=204, response_class=Response)
async def unlike_post(post_id: PostKey, me: PostWriter, reactions: Reactions) -> None:
    """Take back your like, even if you do not see the post any more."""
    await reactions.take_back(Like, me.user_id, post_id)


@router.put("/posts/{post_id}/bookmark", status_code=204, response_class=Response)
async def bookmark_post(post_id: PostKey, me: PostWriter, reactions: Reactions) -> None:
    """Bookmark a published post, or your own."""
    await reactions.give(Bookmark, me.user_id, post_id)


@router.delete("/posts/{post_id}/bookmark", status_code=204, response_class=Response)
async def unbookmark_post(post_id: PostKey, me: PostWriter, reactions: Reactions) -> None:
    """Take back your bookmark, even if you do not see the post any more."""
    await reactions.take_back(Bookmark, me.user_id, post_id)


@router.get("/users/me/bookmarks", response_model=Page[PostListItem])
async def list_bookmarks(
    request: Request, which: Annotated[PostPage, Query()], me: PostReader, reads: ReadsDep
) -> Response:
    """List the posts that you have bookmarked and see, the latest bookmark first."""
    listed = await BOOKMARKS[which.fields].page(reads, which, viewer_id=me.user_id)
    return page_response(request, which, listed, limit=page_length(listed.rows, which.limit))
