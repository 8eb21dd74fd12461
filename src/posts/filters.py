"""What narrows every list of posts."""

from datetime import datetime

from sqlalchemy import literal_column, select

from src.posts.models import Post
from src.sql.statements import Rows
from src.users.models import User

# With a literal, so that the partial indexes serve.
PUBLISHED = (Post.deleted_at.is_(None), Post.status == literal_column("'published'"))


def filtered(
    rows: Rows,
    author: str | None = None,
    tags: list[str] | None = None,
    published_after: datetime | None = None,
    published_before: datetime | None = None,
) -> Rows:
    """Posts of the author, with the tags, published in that time."""
    if author is not None:  # not in the join, where no index would have the order of the list
        named = select(User.id).where(User.username == author).correlate(None)
        rows = rows.where(Post.author_id == named.scalar_subquery())
    if tags is not None:
        rows = rows.where(Post.tags.contains(tags))
    if published_after is not None:
        rows = rows.where(Post.published_at > published_after)
    if published_before is not None:
        rows = rows.where(Post.published_at < published_before)
    return rows
