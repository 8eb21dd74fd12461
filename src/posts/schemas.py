"""What travels about posts."""

from datetime import datetime
from typing import Annotated, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from src.pagination import DEFAULT_LIMIT, Cursor, Limit
from src.schemas import SINGLE_LINE, STORABLE, Input, Output, Timestamp, left_out
from src.users.schemas import Username

MAX_TAGS = 10
MAX_POST_BYTES = 1024 * 1024  # in JSON: the longest text takes it when its letters are escaped
MAX_FULL_TEXTS = 20
MAX_PAGE_TEXT = 500_000  # characters of text and HTML on a page, after which it ends early

Status: TypeAlias = Literal["draft", "published"]

Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), SINGLE_LINE
]
Summary = Annotated[str, Field(max_length=500), STORABLE]
Body = Annotated[str, Field(min_length=1, max_length=100_000), STORABLE]
Tag = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_lower=True, max_length=40, pattern=r"^\w[\w.+#-]*$"
    ),
]


def _without_repeats(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_without_repeats)]


class PostCreate(Input):
    """A new post; a draft unless it says otherwise."""

    title: Title
    body: Body
    summary: Summary = ""
    tags: Annotated[Tags, Field(default_factory=list)]
    status: Status = "draft"


class PostUpdate(Input):
    """The fields to change; those left out stay as they are."""

    title: Title = left_out()
    body: Body = left_out()
    summary: Summary = left_out()
    tags: Tags = left_out()
    status: Status = left_out()


class PostFilter(Input):
    """Which posts to list: everybody's published ones, or one's own drafts by `status`."""

    author: Username | None = None
    tag: Tag | None = None
    status: Status = "published"
    published_after: Timestamp | None = None
    published_before: Timestamp | None = None
    fields: Literal["summary", "full"] = "summary"
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None

    @model_validator(mode="after")
    def _bound_full_texts(self) -> Self:
        if self.fields == "full" and self.limit > MAX_FULL_TEXTS:
            raise ValueError(f"At most {MAX_FULL_TEXTS} posts with their full text")
        return self


class PostAuthor(Output):
    """Who wrote it."""

    id: UUID
    username: str
    display_name: str
    avatar_url: str | None = None


class PostSummary(Output):
    """A post in a list.

    Covers, likes, comments and bookmarks are not there yet: their fields are null, 0 or false.
    """

    id: UUID
    slug: str
    title: str
    summary: str
    status: Status
    tags: list[str]
    author: PostAuthor
    version: int
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    cover_url: str | None = None
    likes_count: int = 0
    comments_count: int = 0
    liked: bool = False
    bookmarked: bool = False


class PostRead(PostSummary):
    """A post with its Markdown and the HTML rendered from it, sanitised."""

    body: str
    body_html: str


class PostListItem(PostSummary):
    """With `fields=full`, also the text."""

    body: str | None = None
    body_html: str | None = None
