"""Posts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from src.access.principals import OptionalPrincipal, require
from src.database import ReadsDep, TransactionDep
from src.dependencies import ClockDep
from src.exceptions import NotFoundError
from src.http.responses import IfMatchDep, created, versioned
from src.idempotency.keys import IdempotencyDep
from src.pagination import page_response
from src.posts.dependencies import PostEditor, PostKey, PostServiceDep, PostWriter
from src.posts.reads import FULL, list_posts, page_length, read_post
from src.posts.rendering import render
from src.posts.schemas import (
    MAX_POST_BYTES,
    PostCreate,
    PostFilter,
    PostListItem,
    PostRead,
    PostUpdate,
)
from src.posts.service import create_post
from src.schemas import Page

router = APIRouter(prefix="/posts", tags=["posts"])


@router.get("", response_model=Page[PostListItem])
async def list_(
    request: Request,
    which: Annotated[PostFilter, Query()],
    viewer: OptionalPrincipal,
    reads: ReadsDep,
) -> Response:
    """Published posts, newest first; one's own with `status=draft`, or with `any` all of them."""
    if which.status != "published":
        viewer = require(viewer, "posts:read")
    listed = await list_posts(reads, which, viewer.user_id if viewer else None)
    return page_response(request, which, listed, limit=page_length(listed.rows, which.limit))


@router.post("", status_code=201, response_model=PostRead, max_body_size=MAX_POST_BYTES)
async def create(
    request: Request,
    writer: PostWriter,
    data: PostCreate,
    transaction: TransactionDep,
    clock: ClockDep,
    idempotency: IdempotencyDep,
) -> Response:
    """Write a post: a draft, or published at once."""
    if idempotency.kept:
        return idempotency.kept
    # Before the transaction begins: a long text must not hold a connection while it waits.
    body_html = await render(data.body, writer.user_id)

    async def answer() -> Response:
        post = await create_post(transaction, clock.now(), writer.user_id, data, body_html)
        return created(request, FULL.of_values(post, author=writer.user))

    return await idempotency.once(transaction, answer)


@router.get("/{post_id}", response_model=PostRead)
async def read(
    request: Request, post_id: PostKey, viewer: OptionalPrincipal, reads: ReadsDep
) -> Response:
    """A published post, or one's own draft."""
    reader_id = viewer.user_id if viewer and "posts:read" in viewer.scopes else None
    post = await read_post(reads, post_id, reader_id)
    if post is None:
        raise NotFoundError
    return versioned(request, post)


@router.patch("/{post_id}", response_model=PostRead, max_body_size=MAX_POST_BYTES)
async def update(
    request: Request,
    post_id: PostKey,
    writer: PostEditor,
    changes: PostUpdate,
    if_match: IfMatchDep,
    posts: PostServiceDep,
) -> Response:
    """Change one's own post; `If-Match` guards against a change made meanwhile."""
    post = await posts.update(writer.user_id, post_id, changes, if_match)
    return versioned(request, FULL.of_entity(post, author=writer.user))


@router.delete("/{post_id}", status_code=204, response_class=Response)
async def delete(
    post_id: PostKey, writer: PostWriter, if_match: IfMatchDep, posts: PostServiceDep
) -> None:
    """Put one's own post into the trash."""
    await posts.delete(writer.user_id, post_id, if_match)
