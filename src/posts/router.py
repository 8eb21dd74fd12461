"""Posts over HTTP."""

from typing import Annotated

from asyncpg import UniqueViolationError
from fastapi import APIRouter, Query, Request, Response

from src.access.principals import OptionalPrincipal, require
from src.dependencies import ClockDep, DatabaseDep, ReadsDep
from src.exceptions import NotFoundError
from src.http.responses import IfMatchDep, created, moved, versioned
from src.idempotency.keys import IdempotencyDep
from src.pagination import page_response
from src.posts.dependencies import PostEditor, PostKey, PostServiceDep, PostWriter, reader_id
from src.posts.lists import list_posts, page_length
from src.posts.models import PostSlug
from src.posts.reads import VIEWED, is_name, read_post
from src.posts.schemas import (
    MAX_POST_BYTES,
    PostCreate,
    PostFilter,
    PostListItem,
    PostRead,
    PostUpdate,
)
from src.posts.service import PostService
from src.posts.slugs.registry import free_slug
from src.posts.slugs.rules import slug_stem
from src.posts.text.rendering import render
from src.schemas import Page
from src.sql.transaction import Transaction

router = APIRouter(prefix="/posts", tags=["posts"])


@router.get("", response_model=Page[PostListItem])
async def list_posts_(
    request: Request,
    which: Annotated[PostFilter, Query()],
    viewer: OptionalPrincipal,
    reads: ReadsDep,
) -> Response:
    """List published posts, newest first. Any other `status` lists your own."""
    if which.status != "published":
        require(viewer, "posts:read")
    listed = await list_posts(reads, which, reader_id(viewer))
    return page_response(request, which, listed, limit=page_length(listed.rows, which.limit))


@router.post("", status_code=201, response_model=PostRead, max_body_size=MAX_POST_BYTES)
async def create_post_(
    request: Request,
    writer: PostWriter,
    data: PostCreate,
    database: DatabaseDep,
    clock: ClockDep,
    idempotency: IdempotencyDep,
) -> Response:
    """Write a post. It is a draft unless `status` says otherwise."""
    if idempotency.kept:
        return idempotency.kept
    # Before the transaction begins: a long text must not hold a connection while it waits.
    body_html = await render(data.body, writer.user_id)
    slug = stem = slug_stem(data.slug or data.title)

    async def answer() -> Response:
        post = await PostService.create(
            transaction, clock.now(), writer.user_id, data, slug=slug, body_html=body_html
        )
        values = post | {"liked": False, "bookmarked": False}
        return created(request, VIEWED["full"].of_values(values, author=writer.user))

    while True:
        try:
            async with Transaction(database.writes) as transaction:
                return await idempotency.once(transaction, answer)
        except UniqueViolationError as error:
            if error.constraint_name != PostSlug.KEY:
                raise
            slug = await free_slug(database.reads, stem)


@router.get(
    "/{post_id}",
    response_model=PostRead,
    responses={301: {"description": "It has another slug now", "model": None}},
)
async def get_post(
    request: Request, post_id: PostKey, viewer: OptionalPrincipal, reads: ReadsDep
) -> Response:
    """Get a published post, or your own draft. The id names it as well as the slug."""
    post = await read_post(reads, post_id, reader_id(viewer))
    if post is None:
        raise NotFoundError
    if not is_name(post_id, post):
        return moved(request, post["slug"])
    return versioned(request, post)


@router.patch("/{post_id}", response_model=PostRead, max_body_size=MAX_POST_BYTES)
async def update_post(
    request: Request,
    post_id: PostKey,
    writer: PostEditor,
    changes: PostUpdate,
    if_match: IfMatchDep,
    posts: PostServiceDep,
) -> Response:
    """Change your own post. `If-Match` guards against a change made meanwhile."""
    post = await posts.update(writer.user_id, post_id, changes, if_match)
    return versioned(request, post)


@router.delete("/{post_id}", status_code=204, response_class=Response)
async def delete_post(
    post_id: PostKey, writer: PostWriter, if_match: IfMatchDep, posts: PostServiceDep
) -> None:
    """Put your own post into the trash, where it stays for 30 days.

    `If-Match` guards against a change made meanwhile.
    """
    await posts.delete(writer.user_id, post_id, if_match)


@router.post("/{post_id}/publish", response_model=PostRead)
async def publish_post(
    request: Request,
    post_id: PostKey,
    writer: PostEditor,
    if_match: IfMatchDep,
    posts: PostServiceDep,
) -> Response:
    """Publish your own post now, whether it is a draft or scheduled."""
    now = PostUpdate(status="published")
    post = await posts.update(writer.user_id, post_id, now, if_match)
    return versioned(request, post)


@router.post("/{post_id}/unpublish", response_model=PostRead)
async def unpublish_post(
    request: Request,
    post_id: PostKey,
    writer: PostEditor,
    if_match: IfMatchDep,
    posts: PostServiceDep,
) -> Response:
    """Make your own post a draft again, also one that is scheduled."""
    back = PostUpdate(status="draft")
    post = await posts.update(writer.user_id, post_id, back, if_match)
    return versioned(request, post)


@router.post("/{post_id}/restore", response_model=PostRead)
async def restore_post(
    request: Request,
    post_id: PostKey,
    writer: PostEditor,
    if_match: IfMatchDep,
    posts: PostServiceDep,
) -> Response:
    """Take your own post out of the trash, where it stays for 30 days.

    It is as it was, published or not; if the time to publish it has passed meanwhile, a draft.
    """
    post = await posts.restore(writer.user_id, post_id, if_match)
    return versioned(request, post)
