"""Previews of drafts over HTTP: the links, and what they show to a front end and in a browser."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import HTMLResponse

from src.dependencies import ClockDep, ReadsDep, SettingsDep
from src.exceptions import NotFoundError
from src.http.responses import NOT_KEPT, DocumentResponse
from src.http.templating import NOT_INDEXED, page, page_csp
from src.posts.dependencies import PostEditor, PostKey
from src.posts.previews.links import PAGE, PreviewLinks
from src.posts.previews.schemas import PreviewLinkRead
from src.posts.reads import own_post_id, read_preview
from src.posts.schemas import PostRead
from src.sql.shapes import Document

router = APIRouter(tags=["posts"])
pages = APIRouter(include_in_schema=False)


@router.post("/posts/{post_id}/preview-link", response_model=PreviewLinkRead)
async def make_preview_link(
    post_id: PostKey, writer: PostEditor, settings: SettingsDep, clock: ClockDep, reads: ReadsDep
) -> Response:
    """Make a link that shows your own post to whoever has it, for a week, draft or not."""
    found = await own_post_id(reads, post_id, writer.user_id)
    link = PreviewLinks(settings).make(found, clock.now())
    return DocumentResponse(link._asdict(), headers=NOT_KEPT)


async def previewed_post(
    token: str, settings: SettingsDep, clock: ClockDep, reads: ReadsDep
) -> Document:
    """The post that a link shows.

    Raises:
        NotFoundError: it is not one of ours, is too old, or the post is in the trash.
    """
    post_id = PreviewLinks(settings).read(token, clock.now())
    post = await read_preview.first(reads, post_id=post_id) if post_id else None
    if post is None:
        raise NotFoundError
    return post


@router.get("/post-previews/{token}", response_model=PostRead)
async def get_preview(
    token: Annotated[str, Path(max_length=200, description="That of a preview link")],
    settings: SettingsDep,
    clock: ClockDep,
    reads: ReadsDep,
) -> Response:
    """Get the post that a preview link shows."""
    post = await previewed_post(token, settings, clock, reads)
    return DocumentResponse(post, headers={**NOT_KEPT, **NOT_INDEXED})


@pages.get(PAGE)
async def preview_page(
    request: Request, post: Annotated[Document, Depends(previewed_post)], settings: SettingsDep
) -> HTMLResponse:
    """The page behind a preview link where there is no front end."""
    csp = page_csp(settings, "img-src data: https: http:", "form-action 'none'")
    return page("posts/preview.html", request, csp=csp, post=post)
