"""The table that published posts are searched in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from src.posts.models import Post
from src.sql.tables import Base


class PostSearch(Base):
    """The words of a published post; a trigger on posts keeps them.

    They are apart from it, so that a like does not index the whole text again.
    """

    __tablename__ = "post_search"
    __table_args__ = (
        Index(None, "published_at", "post_id"),
        # What is added last is looked through one by one: no more than 256 kB of it.
        Index(
            None,
            "document",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 256},
        ),
        Index("ix_post_search_unread", "post_id", postgresql_where=text("document IS NULL")),
    )

    post_id: Mapped[UUID] = mapped_column(ForeignKey(Post.id, ondelete="CASCADE"), primary_key=True)
    author_id: Mapped[UUID]  # the post's, which never changes
    published_at: Mapped[datetime]
    # None for what was imported a moment ago: a job reads it.
    document: Mapped[str | None] = mapped_column(TSVECTOR)
