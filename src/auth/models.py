"""Tables of sessions, registrations and mailed links."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from src.database import Base, Identified
from src.users.models import User


class Session(Identified, Base):
    """One sign-in on one device. It ends by sign-out, by reuse of an old refresh token or by time.

    The refresh token itself is not stored: it is derived from the id, the generation and the salt
    (src.auth.opaque_tokens), and every refresh raises the generation by one.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index(None, "user_id", postgresql_where=text("ended_at IS NULL")),
        Index(None, "expires_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    scope: Mapped[str]
    refresh_salt: Mapped[bytes]
    refresh_generation: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    created_at: Mapped[datetime]
    refreshed_at: Mapped[datetime]
    idle_expires_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class Registration(Identified, Base):
    """What one visitor asked for when he registered an address that nobody has confirmed yet.

    Several visitors may register one address. The account takes over the credentials of the one
    who both receives its mail and proves that this registration was his.
    """

    __tablename__ = "registrations"
    __table_args__ = (Index(None, "user_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    # Whether the account was made for this registration; if not, somebody else opened it.
    opened_account: Mapped[bool]
    secret_hash: Mapped[bytes]
    password_hash: Mapped[str]
    display_name: Mapped[str]
    username: Mapped[str | None]
    locale: Mapped[str]
    created_at: Mapped[datetime]


class EmailLink(Identified, Base):
    """A link mailed to an unconfirmed address. Its token is derived from the id and not stored."""

    __tablename__ = "email_links"
    __table_args__ = (Index(None, "user_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    locale: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Throttle(Base):
    """How often something was done in the current window; the key is a digest."""

    __tablename__ = "throttles"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    window_started_at: Mapped[datetime]
    count: Mapped[int]
