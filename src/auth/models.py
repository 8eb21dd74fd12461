"""Tables of sessions, registrations, mailed links, second factors and clients."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import TIMESTAMP, BigInteger, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from src.sql.tables import Base, Identified
from src.users.models import User


class Session(Identified, Base):
    """One sign-in on one device. It ends by sign-out, by reuse of an old refresh token or by time.

    The refresh token itself is not stored: it is derived from the id, the generation and the salt
    (src.auth.tokens.opaque_tokens), and every refresh raises the generation by one.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index(None, "user_id"),
        Index(None, "expires_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    client_id: Mapped[str] = mapped_column(server_default="plaza")
    scope: Mapped[str]
    address: Mapped[str | None]
    device: Mapped[str] = mapped_column(server_default="unknown device")
    refresh_salt: Mapped[bytes]
    refresh_generation: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    created_at: Mapped[datetime]
    refreshed_at: Mapped[datetime]
    # When it was refreshed before, latest first: as many as a grace may need.
    earlier_refreshes: Mapped[list[datetime]] = mapped_column(
        ARRAY(TIMESTAMP(timezone=True)), server_default="{}", default=list
    )
    idle_expires_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class Registration(Identified, Base):
    """What one visitor asked for who registered an address that nobody has confirmed yet.

    Several visitors may register one address. The account takes over the credentials of the one
    who both receives its mail and proves that this registration was theirs.
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
    """A mailed link. Its token is derived from the id and the purpose, and not stored."""

    __tablename__ = "email_links"
    __table_args__ = (Index(None, "user_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(server_default="confirm")
    # Of a change of address: the one that the link is mailed to.
    new_email: Mapped[str | None]
    locale: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    # When an address was confirmed with it; such a row is kept so that it can be told.
    used_at: Mapped[datetime | None]


class Throttle(Base):
    """How often something was done in the current window; the key is a digest."""

    __tablename__ = "throttles"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    window_started_at: Mapped[datetime]
    count: Mapped[int]


class FailureCount(Base):
    """How often a secret was guessed wrong in a row, and when last; the key is a digest."""

    __tablename__ = "failure_counts"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime]


class TotpFactor(Base):
    """A user's authenticator app (RFC 6238). It counts once it is confirmed."""

    __tablename__ = "totp_factors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    encrypted_secret: Mapped[bytes]
    # The time step of the last accepted code: it and all before are spent.
    last_step: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that stands in for the authenticator app once; used, its row is gone."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(primary_key=True)


class OAuthClient(Base):
    """A program that authenticates itself, with the scopes it may have at most."""

    __tablename__ = "oauth_clients"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    secret_hash: Mapped[bytes]
    scope: Mapped[str]
    created_at: Mapped[datetime]


class SigningKey(Base):
    """A key of access tokens, by its `kid`. The newest one signs, the others verify."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[str]
    # None for the key of JWT_PRIVATE_KEY, once another has taken its place.
    encrypted_private_key: Mapped[bytes | None]
    created_at: Mapped[datetime]
    # When every cache of public keys has it; None for one that was made before this was kept.
    signs_from: Mapped[datetime | None]
    # When the last token that it signed has expired.
    retired_at: Mapped[datetime | None]
