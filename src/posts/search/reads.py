"""Searching published posts: which are found, how well they fit, and where."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    Select,
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

from src.posts.models import Post
from src.posts.search.highlights import END, START
from src.posts.search.models import PostSearch
from src.sql.statements import Rows
from src.users.models import User

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

_found = [
    PostSearch.document.op("@@")(_QUERY),
    # What only leaves words out would go through all posts.
    func.querytree(_QUERY) != "",
    func.querytree(_QUERY) != "T",
]
FOUND: ColumnElement[bool] = Post.id.in_(select(PostSearch.post_id).where(*_found))
HIGHLIGHT = func.ts_headline(_LANGUAGE, func.left(Post.body_html, HIGHLIGHTED), _QUERY, _OPTIONS)
RANK: ColumnElement[float] = column("rank", Double)
RANKED_ID = column("ranked_id", Uuid)


def ranked(
    keys: Rows,
    among: Select[UUID] | None,
    published_after: datetime | None,
    published_before: datetime | None,
) -> Rows:
    """The newest posts that are found `among` others, as `RANK` and `RANKED_ID`.

    The rank of a post is its own: others that are found do not change it.
    """
    rank = cast(func.ts_rank(PostSearch.document, _QUERY, 1), Double)
    found = select(PostSearch.post_id.label("ranked_id"), rank.label("rank")).where(*_found)
    if among is not None:
        found = found.where(PostSearch.post_id.in_(among))
    if published_after is not None:
        found = found.where(PostSearch.published_at > published_after)
    if published_before is not None:
        found = found.where(PostSearch.published_at < published_before)
    newest = found.order_by(PostSearch.published_at.desc(), PostSearch.post_id.desc())
    return keys.select_from(newest.limit(literal_column(str(MAX_RANKED))).subquery("found"))


def with_posts(rows: Rows, page: Subquery) -> Rows:
    """What is shown of a page of them."""
    posts = rows.select_from(page).join(Post, Post.id == page.c.ranked_id)
    return posts.join(User, User.id == Post.author_id)
