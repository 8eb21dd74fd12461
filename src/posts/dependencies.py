"""Dependencies about posts."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Security

from src.access.principals import Principal, current_principal
from src.dependencies import provides
from src.posts.service import PostService

PostServiceDep = Annotated[PostService, provides(PostService)]
PostReader = Annotated[Principal, Security(current_principal, scopes=["posts:read"])]
PostWriter = Annotated[Principal, Security(current_principal, scopes=["posts:write"])]
# Changes of a post are answered with all of it.
PostEditor = Annotated[Principal, Security(current_principal, scopes=["posts:read", "posts:write"])]
PostKey = Annotated[str, Path(max_length=200, description="The id or the slug")]


def reader_id(viewer: Principal | None) -> UUID | None:
    """The caller, if their token shows them what is theirs."""
    return viewer.user_id if viewer and "posts:read" in viewer.scopes else None
