"""A page of a feed, before it is written in one format or the other."""

from dataclasses import dataclass
from urllib.parse import urlencode

from src.config import Settings
from src.posts.addresses import author_url, home_url
from src.posts.feeds.schemas import FeedFilter
from src.posts.lists import list_posts, page_length
from src.posts.schemas import MAX_FULL_TEXTS, PostFilter
from src.sql.pool import Pool
from src.sql.shapes import Document


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Published posts, newest first, and the addresses around them; `url` is the page's own.

    `first_url` is that of the newest page, which is the feed's; `next_url` has older posts.
    """

    title: str
    home_url: str
    first_url: str
    url: str
    next_url: str | None
    posts: list[Document]


async def read_feed(reads: Pool, settings: Settings, path: str, which: FeedFilter) -> FeedPage:
    """The page of the feed at this path below PUBLIC_URL, as anybody sees it.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    filters = PostFilter.model_construct(
        author=which.author,
        tag=which.tag,
        cursor=which.cursor,
        limit=MAX_FULL_TEXTS,
        fields="full",
    )
    listed = await list_posts(reads, filters, None)
    length = page_length(listed.rows, MAX_FULL_TEXTS)

    def url(cursor: str | None) -> str:
        query = {"author": which.author, "tag": which.tag, "cursor": cursor}
        given = urlencode({name: value for name, value in query.items() if value is not None})
        return f"{settings.public_url}{path}" + (f"?{given}" if given else "")

    parts = [
        settings.brand_name,
        f"@{which.author}" if which.author else "",
        f"#{which.tag}" if which.tag else "",
    ]
    return FeedPage(
        title=" ".join(filter(None, parts)),
        home_url=author_url(settings, which.author) if which.author else home_url(settings),
        first_url=url(None),
        url=url(which.cursor),
        next_url=url(listed.cursor(length - 1)) if len(listed.rows) > length else None,
        posts=listed.rows[:length],
    )
