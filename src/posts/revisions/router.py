"""Revisions of posts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from src.dependencies import ReadsDep
from src.http.responses import DocumentResponse, IfMatchDep, versioned
from src.pagination import PageDep, page_response
from src.posts.dependencies import PostEditor, PostKey, PostReader, PostServiceDep
from src.posts.reads import own_post_id
from src.posts.revisions.reads import revision, revisions
from src.posts.revisions.schemas import RevisionRead, RevisionSummary
from src.posts.schemas import PostRead, PostUpdate
from src.schemas import Page

router = APIRouter(prefix="/posts/{post_id}/revisions", tags=["posts"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", response_model=Page[RevisionSummary])
async def list_revisions(
    request: Request, post_id: PostKey, reader: PostReader, page: PageDep, reads: ReadsDep
) -> Response:
    """List what your own post says and said before, newest first."""
    found = await own_post_id(reads, post_id, reader.user_id)
    return page_response(request, page, await revisions.page(reads, page, post_id=found))


@router.get("/{number}", response_model=RevisionRead)
async def get_revision(
    post_id: PostKey, number: Number, reader: PostReader, reads: ReadsDep
) -> Response:
    """Get what your own post said."""
    found = await own_post_id(reads, post_id, reader.user_id)
    document = await revision.one(reads, post_id=found, number=number)
    return DocumentResponse(document, headers={"Cache-Control": "private, no-cache"})


@router.post("/{number}/restore", response_model=PostRead)
async def restore_revision(
    request: Request,
    post_id: PostKey,
    number: Number,
    writer: PostEditor,
    if_match: IfMatchDep,
    reads: ReadsDep,
    posts: PostServiceDep,
) -> Response:
    """Have your own post say again what it said. That is a new revision."""
    found = await own_post_id(reads, post_id, writer.user_id)
    said = await revision.one(reads, post_id=found, number=number)
    again = {name: said[name] for name in ("title", "summary", "body", "tags")}
    # As it was taken then: rules may have changed since.
    changes = PostUpdate.model_construct(**again)
    post = await posts.update(writer.user_id, post_id, changes, if_match)
    return versioned(request, post)
