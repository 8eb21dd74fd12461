"""Tags over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from src.dependencies import ReadsDep
from src.pagination import page_response
from src.posts.tags.reads import list_tags
from src.posts.tags.schemas import TagFilter, TagRead
from src.schemas import Page

router = APIRouter(prefix="/tags", tags=["posts"])


@router.get("", response_model=Page[TagRead])
async def list_tags_(
    request: Request, which: Annotated[TagFilter, Query()], reads: ReadsDep
) -> Response:
    """List the tags of published posts, the most used first or by name."""
    return page_response(request, which, await list_tags(reads, which))
