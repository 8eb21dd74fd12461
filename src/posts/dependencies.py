"""Dependencies about posts."""

from typing import Annotated

from fastapi import Depends, Path, Security

from src.access.principals import Principal, current_principal
from src.database import SessionDep
from src.dependencies import ClockDep
from src.posts.service import PostService


async def get_post_service(session: SessionDep, clock: ClockDep) -> PostService:
    """The post service on the request's session."""
    return PostService(session, clock)


PostServiceDep = Annotated[PostService, Depends(get_post_service)]
PostWriter = Annotated[Principal, Security(current_principal, scopes=["posts:write"])]
# Changes of a post are answered with all of it.
PostEditor = Annotated[Principal, Security(current_principal, scopes=["posts:read", "posts:write"])]
PostKey = Annotated[str, Path(max_length=200, description="The id or the slug")]
