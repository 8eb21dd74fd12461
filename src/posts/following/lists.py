"""What those publish whom somebody follows, at a cost that has a bound.

Mostly it is among the newest posts of all, which are looked through first. Where these do not fill
the page, the newest of each author who is followed are put together.
"""

from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import (
    TIMESTAMP,
    Select,
    Subquery,
    Uuid,
    column,
    literal_column,
    select,
    true,
    tuple_,
)

from src.posts.filters import PUBLISHED
from src.posts.models import Post
from src.posts.reads import VIEWED
from src.posts.schemas import PostFields, PostPage
from src.sql.listing import MAX_LIMIT, Listed, Listing, decode_cursor
from src.sql.pool import Pool
from src.sql.statements import Rows
from src.users.models import User
from src.users.relationships.models import Follow

LOOKED_THROUGH = 2000
_AT, _ID = column("published_at", TIMESTAMP(timezone=True)), column("id", Uuid)


def _newest(
    before: datetime | None, before_id: UUID | None, count: int
) -> Select[datetime | None, UUID, UUID]:
    posts = select(Post.published_at, Post.id, Post.author_id).where(*PUBLISHED)
    if before is not None:
        posts = posts.where(tuple_(Post.published_at, Post.id) < tuple_(before, before_id))
    newest = posts.order_by(Post.published_at.desc(), Post.id.desc())
    return newest.limit(literal_column(str(count)))


def _among_newest(
    keys: Rows, viewer_id: UUID, before: datetime | None = None, before_id: UUID | None = None
) -> Rows:
    newest = _newest(before, before_id, LOOKED_THROUGH).subquery("newest")
    followed = select(Follow.followed_id).where(Follow.follower_id == viewer_id)
    # As a value and not a join, which would have to go through all of the newest.
    return keys.select_from(newest).where(newest.c.author_id.in_(followed).is_(true()))


def _of_each(
    keys: Rows, viewer_id: UUID, before: datetime | None = None, before_id: UUID | None = None
) -> Rows:
    newest = _newest(before, before_id, MAX_LIMIT + 1).where(Post.author_id == Follow.followed_id)
    each = newest.correlate(Follow).lateral("each")
    return keys.select_from(Follow).join(each, true()).where(Follow.follower_id == viewer_id)


def _with_posts(rows: Rows, page: Subquery) -> Rows:
    [_, post_id] = page.c
    posts = rows.select_from(page).join(Post, Post.id == post_id)
    return posts.join(User, User.id == Post.author_id)


@cache
def _lists(fields: PostFields) -> tuple[Listing[...], Listing[...]]:
    first, second = (
        Listing(VIEWED[fields], _AT, narrow, tie=_ID, joined=_with_posts)
        for narrow in (_among_newest, _of_each)
    )
    return first, second


async def read_feed(reads: Pool, which: PostPage, viewer_id: UUID) -> Listed:
    """A page of published posts of those whom the viewer follows, newest first.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    before = before_id = None
    if which.cursor is not None:
        before, before_id = decode_cursor(which.cursor)
    among_newest, of_each = _lists(which.fields)
    key = {"viewer_id": viewer_id, "before": before, "before_id": before_id}
    listed = await among_newest.page(reads, which, **key)
    return listed if len(listed.rows) > which.limit else await of_each.page(reads, which, **key)
