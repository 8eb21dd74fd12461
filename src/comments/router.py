"""Comments over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, Security

from src.access.principals import OptionalPrincipal, Principal, current_principal
from src.addresses.public_path import public_path
from src.comments.reads import list_comments, read_comment
from src.comments.schemas import (
    MAX_COMMENT_BYTES,
    CommentCreate,
    CommentFilter,
    CommentRead,
    CommentUpdate,
)
from src.comments.service import CommentService
from src.dependencies import ReadsDep, SessionDep, provides
from src.http.responses import IfMatchDep, JSONBytesResponse, encode, entity_tag, versioned
from src.idempotency.keys import IdempotencyDep
from src.pagination import page_response
from src.posts.dependencies import PostKey, reader_id
from src.posts.text.rendering import render
from src.schemas import Id, Page

router = APIRouter(tags=["comments"])

Comments = Annotated[CommentService, provides(CommentService)]
Commenter = Annotated[Principal, Security(current_principal, scopes=["comments:write"])]


@router.get("/posts/{post_id}/comments", response_model=Page[CommentRead])
async def list_comments_(
    request: Request,
    post_id: PostKey,
    which: Annotated[CommentFilter, Query()],
    viewer: OptionalPrincipal,
    reads: ReadsDep,
) -> Response:
    """List the comments of a post, all of them in the order of time.

    `parent_id` and `depth` make threads of them. With `top_level=true` come those on the post
    itself, with `parent_id` those on another comment.
    """
    listed = await list_comments(reads, post_id, which, reader_id(viewer))
    return page_response(request, which, listed)


@router.post(
    "/posts/{post_id}/comments",
    status_code=201,
    response_model=CommentRead,
    max_body_size=MAX_COMMENT_BYTES,
)
async def create_comment(
    request: Request,
    post_id: PostKey,
    me: Commenter,
    data: CommentCreate,
    comments: Comments,
    session: SessionDep,
    idempotency: IdempotencyDep,
) -> Response:
    """Comment on a published post, or on a comment of it."""
    if idempotency.kept:
        return idempotency.kept
    # Before the transaction begins: a long text must not hold a connection while it waits.
    body_html = await render(data.body, me.user_id)

    async def answer() -> Response:
        comment_id = await comments.create(me.user_id, post_id, data, body_html)
        comment = await read_comment(session, comment_id, me.user_id)
        body = encode(comment)
        headers = {
            "ETag": entity_tag(comment["version"], body),
            "Location": f"{public_path(request.scope)}/api/v1/comments/{comment_id}",
        }
        return JSONBytesResponse(body, 201, headers)

    return await idempotency.once(session, answer)


@router.get("/comments/{comment_id}", response_model=CommentRead)
async def get_comment(
    request: Request, comment_id: Id, viewer: OptionalPrincipal, reads: ReadsDep
) -> Response:
    """Get a comment of a post that you can read."""
    return versioned(request, await read_comment(reads, comment_id, reader_id(viewer)))


@router.patch("/comments/{comment_id}", response_model=CommentRead, max_body_size=MAX_COMMENT_BYTES)
async def update_comment(
    request: Request,
    comment_id: Id,
    me: Commenter,
    changes: CommentUpdate,
    if_match: IfMatchDep,
    comments: Comments,
    session: SessionDep,
) -> Response:
    """Change your own comment. `If-Match` guards against a change made meanwhile."""
    await comments.update(me.user_id, comment_id, changes.body, if_match)
    return versioned(request, await read_comment(session, comment_id, me.user_id))


@router.delete("/comments/{comment_id}", status_code=204, response_class=Response)
async def delete_comment(
    comment_id: Id, me: Commenter, if_match: IfMatchDep, comments: Comments
) -> None:
    """Delete your own comment, or one on your post. Where there are replies, its place stays."""
    await comments.delete(me.user_id, comment_id, if_match)
