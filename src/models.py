"""Every table, in one place for Alembic."""

from src.auth.models import EmailLink, Registration, Session, Throttle
from src.database import Base
from src.idempotency import IdempotencyRecord
from src.posts.models import Post
from src.users.models import User

__all__ = [
    "Base",
    "EmailLink",
    "IdempotencyRecord",
    "Post",
    "Registration",
    "Session",
    "Throttle",
    "User",
]
