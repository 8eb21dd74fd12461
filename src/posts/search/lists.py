"""Searching published posts: which are found, how well they fit, and where."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    Subquery,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)

from src.posts.filters import PUBLISHED, filtered
from src.posts.models import Post
from src.posts.reads import SHAPES, VIEWED
from src.posts.schemas import PostFields, PostSort
from src.posts.search.highlights import END, START
from src.posts.search.models import PostSearch
from src.sql.listing import KeyColumn, Listing
from src.sql.shapes import Shape
from src.sql.statements import Rows
from src.users.models import User
from src.users.relationships.reads import not_blocked

MAX_RANKED = 1000  # by relevance come the newest of so many
HIGHLIGHTED = 10_000  # characters of a text that are looked through for the words
# Words of Russian and English alike: those in Latin letters get an English stem.
_LANGUAGE: ColumnElement[str] = literal_column("'russian'::regconfig")
# No text is an error in it: "words in quotes", or, and -without.
_QUERY = func.websearch_to_tsquery(_LANGUAGE, bindparam("q", type_=Text))
_OPTIONS = (
    f"StartSel={START}, StopSel={END}, MaxFragments=2, MinWords=10, MaxWords=25,"
    ' ShortWord=0, FragmentDelimiter=" … "'
)

HIGHLIGHT = func.ts_headline(_LANGUAGE, func.left(Post.body_html, HIGHLIGHTED), _QUERY, _OPTIONS)
_RANK: ColumnElement[float] = column("rank", Double)
_RANKED_ID = column("ranked_id", Uuid)


def _found(
    rows: Rows,
    viewer_id: UUID | None = None,
    author: str | None = None,
    tags: list[str] | None = None,
    published_after: datetime | None = None,
    published_before: datetime | None = None,
) -> Rows:
    rows = rows.where(
        PostSearch.document.op("@@")(_QUERY),
        # What only leaves words out would go through all posts.
        func.querytree(_QUERY) != "",
        func.querytree(_QUERY) != "T",
    )
    if viewer_id is not None:
        rows = rows.where(not_blocked(PostSearch.author_id, viewer_id))
    if author is not None or tags is not None:
        rows = rows.where(
            PostSearch.post_id.in_(filtered(select(Post.id).where(*PUBLISHED), author, tags))
        )
    if published_after is not None:
        rows = rows.where(PostSearch.published_at > published_after)
    if published_before is not None:
        rows = rows.where(PostSearch.published_at < published_before)
    return rows


def _ranked(
    keys: Rows,
    viewer_id: UUID | None = None,
    author: str | None = None,
    tags: list[str] | None = None,
    published_after: datetime | None = None,
    published_before: datetime | None = None,
) -> Rows:
    """The rank of a post is its own: others that are found do not change it."""
    rank = cast(func.ts_rank(PostSearch.document, _QUERY, 1), Double)
    key = select(rank.label("rank"), PostSearch.post_id.label("ranked_id"))
    newest = (
        _found(key, viewer_id, author, tags, published_after, published_before)
        .order_by(PostSearch.published_at.desc(), PostSearch.post_id.desc())
        .limit(literal_column(str(MAX_RANKED)))
    )
    return keys.select_from(newest.subquery("found"))


def _popular(
    keys: Rows,
    viewer_id: UUID | None = None,
    author: str | None = None,
    tags: list[str] | None = None,
    published_after: datetime | None = None,
    published_before: datetime | None = None,
) -> Rows:
    keys = keys.join(PostSearch, PostSearch.post_id == Post.id)
    return _found(keys, viewer_id, author, tags, published_after, published_before)


def _with_posts(rows: Rows, page: Subquery) -> Rows:
    [_, post_id] = page.c
    posts = rows.select_from(page).join(Post, Post.id == post_id)
    return posts.join(User, User.id == Post.author_id)


_ORDERS: dict[PostSort, tuple[KeyColumn, KeyColumn, Callable[..., Rows]]] = {
    "relevance": (_RANK, _RANKED_ID, _ranked),
    "newest": (PostSearch.published_at, PostSearch.post_id, _found),
    "oldest": (PostSearch.published_at, PostSearch.post_id, _found),
    "popular": (Post.likes_count, Post.id, _popular),
}


@cache
def found(sort: PostSort, fields: PostFields, *, viewed: bool) -> Listing[...]:
    """The list of published posts with the words `q`, with a `highlight` of PostgreSQL's.

    Only what a page shows is looked up and highlighted.
    """
    shape = (VIEWED if viewed else SHAPES)[fields]
    by, tie, narrow = _ORDERS[sort]
    return Listing(
        Shape({**shape.fields, "highlight": HIGHLIGHT}),
        by,
        narrow,
        tie=tie,
        descending=sort != "oldest",
        # Words may be in few posts or in most, and the best plan is not the same.
        replan={"q"},
        joined=_with_posts,
    )
