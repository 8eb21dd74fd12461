"""The posts table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from src.sql.tables import Base, Identified, Timestamped, Versioned
from src.users.models import User

_PUBLISHED = text("status = 'published' AND deleted_at IS NULL")


class Post(Identified, Versioned, Timestamped, Base):
    """A post. `body_html` is rendered and sanitised when the body is written."""

    __tablename__ = "posts"
    __table_args__ = (
        UniqueConstraint("slug"),
        CheckConstraint("status IN ('draft', 'published')", "status_known"),
        CheckConstraint("(status = 'published') = (published_at IS NOT NULL)", "published_at_set"),
        Index("ix_posts_published", "published_at", "id", postgresql_where=_PUBLISHED),
        Index(
            "ix_posts_author_published",
            "author_id",
            "published_at",
            "id",
            postgresql_where=_PUBLISHED,
        ),
        Index("ix_posts_author", "author_id", "status", "created_at", "id"),
        Index("ix_posts_tags", "tags", postgresql_using="gin", postgresql_where=_PUBLISHED),
    )

    author_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    slug: Mapped[str]
    title: Mapped[str]
    summary: Mapped[str]
    body: Mapped[str]
    body_html: Mapped[str]
    status: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    published_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
