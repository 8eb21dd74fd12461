"""What travels about posts."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from src.pagination import PageQuery
from src.posts.life import PostStatus
from src.posts.tags.rules import MAX_TAG_LENGTH, normalize_tag
from src.schemas import Input, Output, Text, Timestamp, left_out, may_be_missing
from src.users.schemas import Username
from src.validation.invalid_values import invalid

MAX_TAGS = 10
MAX_POST_BYTES = 1024 * 1024  # in JSON: the longest text takes it when its letters are escaped
MAX_FULL_TEXTS = 20
MAX_PAGE_TEXT = 500_000  # characters of text and HTML on a page, after which it ends early

PostStatusFilter = TypeAliasType(
    "PostStatusFilter", Literal["published", "draft", "scheduled", "trash", "any"]
)
PostFields = TypeAliasType("PostFields", Literal["summary", "full"])
PostSort = TypeAliasType("PostSort", Literal["newest", "oldest", "popular", "relevance"])

Title = Annotated[str, Text(200), Field(examples=["My first post"])]
Slug = Annotated[
    str,
    Text(200),
    Field(
        description="Made of its letters and digits in ASCII, with a number if others have that",
        examples=["my-first-post"],
    ),
]
PublishAt = Annotated[
    Timestamp, Field(description="When to publish it: with the status `scheduled`")
]
Summary = Annotated[str, Text(500, lines=True, empty=True), Field(examples=["A few words"])]
Body = Annotated[str, Text(100_000, lines=True), Field(examples=["Some *Markdown*."])]


Words = Annotated[
    str,
    Text(200),
    Field(
        description="Words of title, summary, tags or text, in English and Russian: all of them;"
        ' `"as they stand"`, one `or` the other, `-without`',
        examples=["wooden boats"],
    ),
]


def _tag(raw: str) -> str:
    tag = normalize_tag(raw)
    if tag is None:
        raise invalid("tag_invalid")
    return tag


Tag = Annotated[
    str,
    AfterValidator(_tag),
    Field(
        examples=["boats"],
        json_schema_extra={
            "minLength": 1,
            "maxLength": MAX_TAG_LENGTH,
            # Of ASCII, what a tag may have; of other letters no pattern says it everywhere alike.
            "pattern": r"^[^\x00-/:-@\[-\^`\{-\x7f][^\x00-\x22\x24-\x2a,/:-@\[-\^`\{-\x7f]*$",
        },
    ),
]


def _without_repeats(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_without_repeats)]


class PostCreate(Input):
    """A new post; a draft unless it says otherwise."""

    title: Title
    body: Body
    slug: Slug = left_out()
    summary: Summary = ""
    tags: Annotated[Tags, Field(default_factory=list)]
    status: Annotated[PostStatus, Field(examples=["published"])] = "draft"
    publish_at: PublishAt = left_out()


class PostUpdate(Input):
    """The fields to change; those left out stay as they are."""

    title: Title = left_out()
    body: Body = left_out()
    slug: Slug = left_out()
    summary: Summary = left_out()
    tags: Tags = left_out()
    status: PostStatus = left_out()
    publish_at: PublishAt = left_out()


class PostPage(PageQuery):
    """Which page of a list of posts, and how much of each."""

    fields: PostFields = "summary"

    @model_validator(mode="after")
    def _bound_full_texts(self) -> Self:
        if self.fields == "full" and self.limit > MAX_FULL_TEXTS:
            raise invalid("full_texts_too_many", max=MAX_FULL_TEXTS)
        return self


class PostFilter(PostPage):
    """Which posts to list: everybody's published ones, or with another `status` one's own.

    `any` is all of one's own but the `trash`. By likes, as `popular`, and by words come published
    ones only; by relevance, where no other order is asked for, the newest thousand with the words.
    """

    author: Username | None = None
    tag: Tag | None = None
    status: PostStatusFilter = "published"
    published_after: Timestamp | None = None
    published_before: Timestamp | None = None
    q: Words | None = None
    sort: Annotated[
        PostSort | None, Field(description="`newest`, or with `q` by `relevance`, if left out")
    ] = None

    @property
    def order(self) -> PostSort:
        """The order of the list."""
        return self.sort or ("newest" if self.q is None else "relevance")

    @model_validator(mode="after")
    def _know_all(self) -> Self:
        if self.status != "published" and (self.q is not None or self.sort == "popular"):
            raise invalid("unpublished_unknown")
        if self.sort == "relevance" and self.q is None:
            raise invalid("relevance_without_words")
        return self


class PostAuthor(Output):
    """Who wrote it."""

    id: UUID
    username: str
    display_name: str
    avatar_url: str | None = None


class PostSummary(Output):
    """A post in a list. Covers are not there yet: `cover_url` is null.

    `liked` and `bookmarked` are about the caller, and false for a token without `posts:read`.
    """

    id: UUID
    slug: Annotated[str, Field(examples=["my-first-post"])]
    title: str
    summary: str
    status: PostStatus
    tags: Annotated[list[str], Field(examples=[["boats"]])]
    author: PostAuthor
    version: int
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    publish_at: Annotated[
        datetime | None, Field(description="When it will be published, if it is scheduled")
    ]
    likes_count: int
    comments_count: int
    cover_url: str | None = None
    liked: bool = False
    bookmarked: bool = False


class PostRead(PostSummary):
    """A post with its Markdown and the HTML rendered from it, sanitised."""

    body: str
    body_html: Annotated[str, Field(examples=["<p>Some <em>Markdown</em>.</p>"])]


class PostListItem(PostSummary):
    """With `fields=full`, also the text; with `q`, where the words are in it."""

    model_config = ConfigDict(json_schema_extra=may_be_missing("body", "body_html", "highlight"))

    body: str = left_out()
    body_html: str = left_out()
    highlight: Annotated[
        str,
        Field(
            description="Parts of the text as safe HTML, with `<mark>` around the words",
            examples=["About <mark>boats</mark> and rivers"],
        ),
    ] = left_out()
