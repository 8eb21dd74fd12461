"""Feeds and the sitemap over HTTP: the same for everybody, with a token or without."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from src.dependencies import ReadsDep, SettingsDep
from src.http.responses import PublicDocument
from src.posts.feeds.formats import ATOM_TYPE, JSON_TYPE, atom, json_feed
from src.posts.feeds.pages import read_feed
from src.posts.feeds.schemas import FeedFilter, JsonFeed
from src.posts.feeds.sitemaps import Sitemaps

MAX_AGE = 60
KNOWN: dict[int | str, dict[str, Any]] = {
    304: {"description": "What the caller has still holds", "model": None}
}

router = APIRouter(prefix="/posts", tags=["posts"])
pages = APIRouter(include_in_schema=False)


class AtomResponse(Response):
    """Atom."""

    media_type: str | None = ATOM_TYPE


class JsonFeedResponse(JSONResponse):
    """A JSON Feed."""

    media_type = JSON_TYPE


@router.get("/feed.atom", response_class=AtomResponse, responses=KNOWN)
async def get_atom_feed(
    request: Request,
    which: Annotated[FeedFilter, Query()],
    settings: SettingsDep,
    reads: ReadsDep,
) -> Response:
    """Get published posts as an Atom feed, newest first."""
    page = await read_feed(reads, settings, request.scope["path"], which)
    return PublicDocument(atom(page, settings), ATOM_TYPE, MAX_AGE).answer(request)


@router.get("/feed.json", response_class=JsonFeedResponse, response_model=JsonFeed, responses=KNOWN)
async def get_json_feed(
    request: Request,
    which: Annotated[FeedFilter, Query()],
    settings: SettingsDep,
    reads: ReadsDep,
) -> Response:
    """Get published posts as a JSON Feed, newest first."""
    page = await read_feed(reads, settings, request.scope["path"], which)
    return PublicDocument(json_feed(page, settings), JSON_TYPE, MAX_AGE).answer(request)


@pages.get("/sitemap.xml")
async def sitemap(request: Request) -> Response:
    """Where all published posts are, or the index of such documents."""
    sitemaps: Sitemaps = request.app.state.sitemaps
    return (await sitemaps.whole()).answer(request)


@pages.get("/sitemaps/posts-{number}.xml")
async def sitemap_part(request: Request, number: Annotated[int, Path(ge=1)]) -> Response:
    """Where some of the published posts are."""
    sitemaps: Sitemaps = request.app.state.sitemaps
    return (await sitemaps.part(number)).answer(request)
