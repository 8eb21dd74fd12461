"""The tables of posts: their slugs and what they were before beside them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from src.posts.life import PostStatus
from src.sql.tables import Base, Identified, Timestamped, Versioned
from src.users.models import User

_PUBLISHED = text("status = 'published' AND deleted_at IS NULL")
_IN_TRASH = text("deleted_at IS NOT NULL")


class Post(Identified, Versioned, Timestamped, Base):
    """A post. `body_html` is rendered and sanitised when the body is written."""

    __tablename__ = "posts"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published', 'scheduled')", "status_known"),
        CheckConstraint("(status = 'published') = (published_at IS NOT NULL)", "published_at_set"),
        CheckConstraint("(status = 'scheduled') = (publish_at IS NOT NULL)", "publish_at_set"),
        # With the author, since who follows some looks through the newest of all.
        Index(
            "ix_posts_published",
            "published_at",
            "id",
            postgresql_include=["author_id"],
            postgresql_where=_PUBLISHED,
        ),
        Index(
            "ix_posts_author_published",
            "author_id",
            "published_at",
            "id",
            postgresql_where=_PUBLISHED,
        ),
        Index("ix_posts_popular", "likes_count", "id", postgresql_where=_PUBLISHED),
        Index(
            "ix_posts_author_popular",
            "author_id",
            "likes_count",
            "id",
            postgresql_where=_PUBLISHED,
        ),
        Index("ix_posts_author", "author_id", "status", "created_at", "id"),
        Index("ix_posts_trash", "deleted_at", "id", postgresql_where=_IN_TRASH),
        Index("ix_posts_tags", "tags", postgresql_using="gin", postgresql_where=_PUBLISHED),
    )

    author_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    slug: Mapped[str]
    title: Mapped[str]
    summary: Mapped[str]
    body: Mapped[str]
    body_html: Mapped[str]
    status: Mapped[PostStatus] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    published_at: Mapped[datetime | None]
    publish_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    # Of what it says now; since when, if it once said something else.
    revision: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    edited_at: Mapped[datetime | None]
    # Kept by triggers, as `posts_count` of users is.
    likes_count: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    comments_count: Mapped[int] = mapped_column(server_default=text("0"), default=0)

    @property
    def is_public(self) -> bool:
        """Whether everybody can read it."""
        return self.status == "published" and self.deleted_at is None


class PostSlug(Base):
    """A slug that a post has or had; no other post can have it."""

    KEY = "pk_post_slugs"
    __tablename__ = "post_slugs"
    __table_args__ = (Index(None, "post_id"),)

    slug: Mapped[str] = mapped_column(primary_key=True)
    post_id: Mapped[UUID] = mapped_column(ForeignKey(Post.id, ondelete="CASCADE"))
    taken_at: Mapped[datetime]


class PostRevision(Base):
    """What a post said before; what it says now is in `posts`."""

    __tablename__ = "post_revisions"

    post_id: Mapped[UUID] = mapped_column(ForeignKey(Post.id, ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    summary: Mapped[str]
    body: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
