"""The formats of feeds: Atom (RFC 4287, pages as in RFC 5005) and JSON Feed 1.1."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from src.config import Settings
from src.http.responses import encode
from src.posts.addresses import author_url, post_url
from src.posts.feeds.pages import FeedPage
from src.posts.feeds.schemas import entry_id
from src.posts.feeds.xml import add, timestamp, written
from src.sql.shapes import Document

ATOM_TYPE, JSON_TYPE = "application/atom+xml", "application/feed+json"
JSON_VERSION = "https://jsonfeed.org/version/1.1"
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # a feed has to say when it changed, an empty one too


def atom(page: FeedPage, settings: Settings) -> bytes:
    """The page in Atom."""
    feed = ET.Element("feed", xmlns="http://www.w3.org/2005/Atom")
    add(feed, "id", page.first_url)
    add(feed, "title", page.title)
    changes = [post["updated_at"] for post in page.posts]
    add(feed, "updated", timestamp(max(changes, default=_NEVER)))
    add(feed, "link", rel="self", type=ATOM_TYPE, href=page.url)
    add(feed, "link", rel="first", type=ATOM_TYPE, href=page.first_url)
    if page.next_url:
        add(feed, "link", rel="next", type=ATOM_TYPE, href=page.next_url)
    add(feed, "link", rel="alternate", href=page.home_url)
    for post in page.posts:
        _add_entry(feed, post, settings)
    return written(feed)


def _add_entry(feed: ET.Element, post: Document, settings: Settings) -> None:
    url, writer = post_url(settings, post["slug"]), post["author"]
    entry = add(feed, "entry")
    add(entry, "id", entry_id(post["id"]))
    add(entry, "title", post["title"])
    add(entry, "link", rel="alternate", href=url)
    add(entry, "published", timestamp(post["published_at"]))
    add(entry, "updated", timestamp(post["updated_at"]))
    author = add(entry, "author")
    add(author, "name", writer["display_name"])
    add(author, "uri", author_url(settings, writer["username"]))
    for tag in post["tags"]:
        add(entry, "category", term=tag)
    if post["summary"]:
        add(entry, "summary", post["summary"])
    add(entry, "content", post["body_html"], type="html").set(_BASE, url)


def json_feed(page: FeedPage, settings: Settings) -> bytes:
    """The page as a JSON Feed."""
    document = {
        "version": JSON_VERSION,
        "title": page.title,
        "home_page_url": page.home_url,
        "feed_url": page.url,
        **({"next_url": page.next_url} if page.next_url else {}),
        "items": [_item(post, settings) for post in page.posts],
    }
    return encode(document)


def _item(post: Document, settings: Settings) -> Document:
    writer = post["author"]
    return {
        "id": entry_id(post["id"]),
        "url": post_url(settings, post["slug"]),
        "title": post["title"],
        "content_html": post["body_html"],
        **({"summary": post["summary"]} if post["summary"] else {}),
        "date_published": post["published_at"],
        "date_modified": post["updated_at"],
        "authors": [
            {"name": writer["display_name"], "url": author_url(settings, writer["username"])}
        ],
        "tags": post["tags"],
    }
