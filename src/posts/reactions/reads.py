"""What one has bookmarked and liked."""

from uuid import UUID

from src.personal_data import Section, rows_of
from src.posts.models import Post
from src.posts.reactions.models import Bookmark, Like
from src.posts.reads import VIEWED, visible_to
from src.sql.listing import Listing
from src.sql.shapes import Shape
from src.sql.statements import Rows
from src.users.models import User


def _bookmarked(rows: Rows, viewer_id: UUID) -> Rows:
    return (
        rows.select_from(Bookmark)
        .join(Post, Post.id == Bookmark.post_id)
        .join(User, User.id == Post.author_id)
        .where(Bookmark.user_id == viewer_id, visible_to(viewer_id))
    )


BOOKMARKS = {
    fields: Listing(shape, Bookmark.created_at, _bookmarked, tie=Bookmark.post_id)
    for fields, shape in VIEWED.items()
}


def _section(reaction: type[Like | Bookmark]) -> Section:
    shape = Shape({"post_id": reaction.post_id, "created_at": reaction.created_at})
    key = reaction.created_at, reaction.post_id
    return rows_of(reaction.__tablename__, reaction.user_id, shape, *key, scopes={"posts:read"})


PERSONAL_DATA = [_section(Like), _section(Bookmark)]
