"""The users table."""

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from src.database import Base, Identified, Timestamped


class User(Identified, Timestamped, Base):
    """An account. `email` and `username` are stored in the one form that compares equal."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email"),
        UniqueConstraint("username"),
        CheckConstraint("username ~ '^[a-z0-9_-]{3,32}$'", "username_form"),
    )

    email: Mapped[str]
    username: Mapped[str]
    display_name: Mapped[str]
    bio: Mapped[str] = mapped_column(server_default="", default="")
    locale: Mapped[str] = mapped_column(server_default="en")
    password_hash: Mapped[str]
    email_verified_at: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    # Kept by a trigger on posts, so that no path of the code can forget it.
    posts_count: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's declarative form

    @property
    def email_verified(self) -> bool:
        """Whether somebody has shown that mail to the address reaches him."""
        return self.email_verified_at is not None
