"""The table of personal access tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from src.sql.tables import Base, Identified
from src.users.models import User


class PersonalToken(Identified, Base):
    """A bearer token that a user made for a program of theirs. Its secret is stored as a digest."""

    __tablename__ = "personal_tokens"
    __table_args__ = (Index(None, "user_id", "created_at", "id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str]
    scope: Mapped[str]
    secret_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]

    @property
    def scopes(self) -> list[str]:
        """What it allows, while its owner's roles do."""
        return self.scope.split()
