"""What travels in feeds."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from src.pagination import MAX_CURSOR_LENGTH
from src.posts.schemas import Tag
from src.schemas import Input, Output, left_out, may_be_missing
from src.users.schemas import Username


class FeedFilter(Input):
    """Which published posts a feed has: the newest, or with a `cursor` older ones."""

    author: Username | None = None
    tag: Tag | None = None
    cursor: Annotated[
        str | None,
        Field(max_length=MAX_CURSOR_LENGTH, description="That in the address of the next page"),
    ] = None


class FeedAuthor(Output):
    """Who wrote it, and where to read more of theirs."""

    name: str
    url: str


class FeedItem(Output):
    """A post."""

    model_config = ConfigDict(json_schema_extra=may_be_missing("summary"))

    id: Annotated[
        str,
        Field(
            description="Of the post's id: it stays when the address changes",
            examples=["urn:uuid:01936d1f-5c00-7a3e-9b1d-2f4e6a8c0b1d"],
        ),
    ]
    url: str
    title: str
    content_html: str
    summary: str = left_out()
    date_published: datetime
    date_modified: datetime
    authors: list[FeedAuthor]
    tags: Annotated[list[str], Field(examples=[["boats"]])]


class JsonFeed(Output):
    """A feed (JSON Feed 1.1); without `next_url` there are no older posts."""

    model_config = ConfigDict(json_schema_extra=may_be_missing("next_url"))

    version: Literal["https://jsonfeed.org/version/1.1"]
    title: str
    home_page_url: str
    feed_url: str
    next_url: str = left_out()
    items: list[FeedItem]


def entry_id(post_id: UUID) -> str:
    """The id of a post in every feed, whatever its address."""
    return f"urn:uuid:{post_id}"
