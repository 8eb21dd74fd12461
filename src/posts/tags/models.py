"""The table of the tags in use."""

from sqlalchemy import Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from src.sql.tables import Base


class Tag(Base):
    """A tag that published posts have, and how many; a trigger on posts keeps it.

    Names are in the order of their characters' numbers, so that those with one beginning are
    neighbours.
    """

    __tablename__ = "tags"
    # The most used first, and of those the first by name.
    __table_args__ = (Index("ix_tags_most_used", text("(-posts_count)"), "name"),)

    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    posts_count: Mapped[int]
