"""The sitemap (sitemaps.org): one document, or an index of parts once there are many posts."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID
from xml.sax.saxutils import escape

from fastapi import FastAPI
from sqlalchemy import ColumnElement, Select, func, literal_column, select, tuple_

from src.clock import Clock
from src.config import Settings
from src.exceptions import NotFoundError
from src.http.responses import PublicDocument
from src.posts.addresses import post_url
from src.posts.feeds.xml import timestamp
from src.posts.filters import PUBLISHED
from src.posts.models import Post
from src.sql.pool import Pool
from src.sql.statements import Query

MAX_URLS = 50_000  # of 1,000 bytes each, they are the 50 MB that a part may have
MEDIA_TYPE, MAX_AGE = "application/xml", 3600
KEPT_FOR = timedelta(minutes=10)
MAX_KEPT = 4
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_KEY = (Post.published_at, Post.id)
_MAX_URLS: ColumnElement[int] = literal_column(str(MAX_URLS))

Start = tuple[datetime | None, UUID]


# The oldest first: what is published later changes the last part alone.
@Query
def _starts_of_parts() -> Select[datetime | None, UUID]:
    number = func.row_number().over(order_by=_KEY).label("number")
    numbered = select(*_KEY, number).where(*PUBLISHED).subquery()
    columns = numbered.c
    first = columns.number % _MAX_URLS == literal_column("1")
    return select(columns.published_at, columns.id).where(first).order_by(columns.number)


@Query
def _part(published_at: datetime | None, post_id: UUID) -> Select[str, datetime]:
    return (
        select(Post.slug, Post.updated_at)
        .where(*PUBLISHED, tuple_(*_KEY) >= tuple_(published_at, post_id))
        .order_by(*_KEY)
        .limit(_MAX_URLS)
    )


class Sitemaps:
    """Makes the documents, and keeps some for a while: anybody may ask, and they take work.

    One is made at a time, so those who ask for the same have it made once.
    """

    def __init__(self, reads: Pool, settings: Settings, clock: Clock) -> None:
        self._reads = reads
        self._settings = settings
        self._clock = clock
        self._turn = asyncio.Lock()
        self._starts: Sequence[Start] = ()
        self._kept: dict[int, PublicDocument] = {}
        self._until: datetime | None = None

    async def whole(self) -> PublicDocument:
        """What is at /sitemap.xml: all posts, or the index of the parts."""
        async with self._turn:
            await self._forget_old()
            if len(self._starts) > 1:
                return self._index()
            return await self._numbered(1)

    async def part(self, number: int) -> PublicDocument:
        """One of the parts, which count from 1.

        Raises:
            NotFoundError: there are not as many.
        """
        async with self._turn:
            await self._forget_old()
            if number > len(self._starts):
                raise NotFoundError
            return await self._numbered(number)

    async def _forget_old(self) -> None:
        now = self._clock.now()
        if self._until is None or now >= self._until:
            self._starts = await _starts_of_parts.all(self._reads)
            self._kept.clear()
            self._until = now + KEPT_FOR

    async def _numbered(self, number: int) -> PublicDocument:
        if number not in self._kept:
            start = self._starts[number - 1 : number]
            rows = await _part.all(self._reads, *start[0]) if start else ()
            # Beside the loop, since it takes a tenth of a second.
            document = await asyncio.to_thread(_urls, rows, self._settings)
            if len(self._kept) >= MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = document
        return self._kept[number]

    def _index(self) -> PublicDocument:
        base = escape(f"{self._settings.public_url}/sitemaps/posts-")
        numbers = range(1, len(self._starts) + 1)
        parts = (f"<sitemap><loc>{base}{number}.xml</loc></sitemap>" for number in numbers)
        return _document("sitemapindex", "".join(parts))


def _urls(rows: Iterable[tuple[str, datetime]], settings: Settings) -> PublicDocument:
    """Written out, since elements would take ten times the memory."""
    urls = "".join(
        f"<url><loc>{escape(post_url(settings, slug))}</loc>"
        f"<lastmod>{timestamp(updated_at)}</lastmod></url>"
        for slug, updated_at in rows
    )
    return _document("urlset", urls)


def _document(name: str, content: str) -> PublicDocument:
    declaration = '<?xml version="1.0" encoding="utf-8"?>'
    text = f'{declaration}<{name} xmlns="{_NAMESPACE}">{content}</{name}>'
    return PublicDocument(text.encode(), MEDIA_TYPE, MAX_AGE)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make the sitemaps of a process that starts."""
    state = app.state
    state.sitemaps = Sitemaps(state.database.reads, state.settings, state.clock)
    yield
