"""The users table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from src.sql.tables import Base, Identified, Timestamped, Versioned


class User(Identified, Versioned, Timestamped, Base):
    """An account. `email` and `username` are stored in the one form that compares equal."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email"),
        UniqueConstraint("username"),
        CheckConstraint("username ~ '^[a-z0-9_-]{3,32}$'", "username_form"),
        Index(None, "created_at", "id"),
        # Administrators are few, and looked for whenever one of them is to lose that role.
        Index("ix_users_with_roles", "id", postgresql_where=text("roles <> '{}'")),
    )

    email: Mapped[str]
    username: Mapped[str]
    # What was asked for at registration, if somebody was faster; None once a name is chosen.
    requested_username: Mapped[str | None]
    display_name: Mapped[str]
    bio: Mapped[str] = mapped_column(server_default="", default="")
    locale: Mapped[str] = mapped_column(server_default="en")
    password_hash: Mapped[str]
    email_verified_at: Mapped[datetime | None]
    # Since when the address takes no mail, as its server has said.
    email_undeliverable_at: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    # Names of src.access.permissions.ROLES.
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}", default=list)
    # Whether signing in takes a second factor; src.auth keeps it.
    mfa_enabled: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    # Devices that signed in under another one are not known any more; src.auth raises it.
    device_generation: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    last_sign_in_at: Mapped[datetime | None]
    # Kept by a trigger on posts, so that no path of the code can forget it.
    posts_count: Mapped[int] = mapped_column(server_default=text("0"), default=0)

    @property
    def email_verified(self) -> bool:
        """Whether somebody has shown that mail to the address reaches them."""
        return self.email_verified_at is not None


class HeldUsername(Base):
    """A username that was given up and that nobody else can take yet (src.users.usernames).

    Only its digest is kept, so that nothing of a deleted account can be read here.
    """

    __tablename__ = "held_usernames"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    # Who may take it again; None when the account is deleted.
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey(User.id, ondelete="SET NULL"))
    held_until: Mapped[datetime]

    __table_args__ = (Index(None, "user_id"),)
