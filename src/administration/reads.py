"""The lists that administrators see."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, cast, func, or_, text

from src.administration.schemas import AuditEntryRead, AuditFilter, UserFilter
from src.audit.models import AuditEntry
from src.sql.listing import Listed, listing
from src.sql.pool import Pool
from src.sql.shapes import Shape
from src.sql.statements import Rows
from src.users.emails import part_of_email
from src.users.models import User
from src.users.service import MANAGED

AUDIT_ENTRY = Shape.of(AuditEntryRead, AuditEntry)


# It walks the index on `created_at`, from the newest, until the page is full. A role is looked up
# in the index of the few who have one; text that few users have is looked for in every row.
@listing(MANAGED, by=User.created_at, replan={"name", "role", "is_active", "email_verified"})
def _users(
    rows: Rows,
    *,
    name: str | None = None,
    address: str | None = None,
    role: list[str] | None = None,
    is_active: bool | None = None,
    email_verified: bool | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Rows:
    if name is not None and address is not None:
        like = func.lower(cast(name, Text))
        rows = rows.where(
            or_(
                # Usernames and addresses are stored in lower case.
                User.username.like(like),
                User.email.like(address),
                func.lower(User.display_name).like(like),
            )
        )
    if role is not None:
        # The first part, as a literal, lets the partial index serve.
        rows = rows.where(text("users.roles <> '{}'"), User.roles.contains(role))
    if is_active is not None:
        rows = rows.where(User.is_active == is_active)
    if email_verified is not None:
        rows = rows.where(User.email_verified_at.is_not(None) == email_verified)
    if created_after is not None:
        rows = rows.where(User.created_at > created_after)
    if created_before is not None:
        rows = rows.where(User.created_at < created_before)
    return rows


@listing(AUDIT_ENTRY, by=AuditEntry.at, replan={"user_id", "actor_id", "action"})
def _audit_log(
    rows: Rows,
    user_id: UUID | None = None,
    actor_id: UUID | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Rows:
    if user_id is not None:
        rows = rows.where(AuditEntry.user_id == user_id)
    if actor_id is not None:
        rows = rows.where(AuditEntry.actor_id == actor_id)
    if action is not None:
        rows = rows.where(AuditEntry.action == action)
    if since is not None:
        rows = rows.where(AuditEntry.at >= since)
    if until is not None:
        rows = rows.where(AuditEntry.at < until)
    return rows


async def list_users(reads: Pool, which: UserFilter) -> Listed:
    """A page of users, newest first.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    given = which.model_dump(exclude={"q", "role", "limit", "cursor"})
    name = address = None
    if which.q is not None:
        name, address = _containing(which.q), _containing(part_of_email(which.q))
    role: list[str] | None = [which.role] if which.role else None
    return await _users.page(reads, which, name=name, address=address, role=role, **given)


async def list_audit_log(reads: Pool, which: AuditFilter) -> Listed:
    """A page of the audit log, newest first.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    return await _audit_log.page(reads, which, **which.model_dump(exclude={"limit", "cursor"}))


def _containing(words: str) -> str:
    """A pattern of LIKE for what has the words in it."""
    literally = words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{literally}%"
