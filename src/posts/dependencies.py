"""Dependencies about posts."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Security

from src.database import SessionDep
from src.dependencies import ClockDep
from src.posts.models import Post
from src.posts.service import PostService
from src.responses import check_if_match
from src.security import Principal, current_principal


async def get_post_service(session: SessionDep, clock: ClockDep) -> PostService:
    """The post service on the request's session."""
    return PostService(session, clock)


PostServiceDep = Annotated[PostService, Depends(get_post_service)]
PostWriter = Annotated[Principal, Security(current_principal, scopes=["posts:write"])]


async def own_post(
    request: Request, post_id: UUID, writer: PostWriter, posts: PostServiceDep
) -> Post:
    """The caller's own post, locked, in the version his `If-Match` names.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
        PreconditionFailedError: it has changed since.
    """
    post = await posts.get_own_for_update(writer.user_id, post_id)
    check_if_match(request, post.version)
    return post


OwnPost = Annotated[Post, Depends(own_post)]
