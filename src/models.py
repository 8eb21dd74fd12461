"""Every table, in one place for Alembic."""

from src.audit.models import AuditEntry
from src.auth.models import (
    EmailLink,
    FailureCount,
    OAuthClient,
    RecoveryCode,
    Registration,
    Session,
    SigningKey,
    Throttle,
    TotpFactor,
)
from src.comments.models import Comment
from src.events.models import RecordedEvent
from src.idempotency.models import IdempotencyRecord
from src.personal_tokens.models import PersonalToken
from src.posts.models import Post, PostRevision, PostSlug
from src.posts.reactions.models import Bookmark, Like
from src.posts.search.models import PostSearch
from src.posts.tags.models import Tag
from src.sql.tables import Base
from src.users.models import HeldUsername, User
from src.users.relationships.models import Block, Follow, FollowCount
from src.webhooks.models import Delivery, Webhook

__all__ = [
    "AuditEntry",
    "Base",
    "Block",
    "Bookmark",
    "Comment",
    "Delivery",
    "EmailLink",
    "FailureCount",
    "Follow",
    "FollowCount",
    "HeldUsername",
    "IdempotencyRecord",
    "Like",
    "OAuthClient",
    "PersonalToken",
    "Post",
    "PostRevision",
    "PostSearch",
    "PostSlug",
    "RecordedEvent",
    "RecoveryCode",
    "Registration",
    "Session",
    "SigningKey",
    "Tag",
    "Throttle",
    "TotpFactor",
    "User",
    "Webhook",
]
