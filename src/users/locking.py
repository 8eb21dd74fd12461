"""Locking users, always in the order of their ids, and before anything that is theirs."""

from uuid import UUID

from sqlalchemy import and_, or_, select

from src.sql.session import DatabaseSession
from src.users.models import User


async def lock_user(
    session: DatabaseSession, user_id: UUID, *, taking: str | None = None
) -> User | None:
    """The user as of now; nobody else changes or deletes the account until the transaction ends.

    `taking` an address, the account that has it and never confirmed it is locked as well: two may
    be about to take each other's.
    """
    holder = and_(User.email == taking, User.email_verified_at.is_(None))
    locked = await session.scalars(
        select(User)
        .where(or_(User.id == user_id, holder) if taking else User.id == user_id)
        .order_by(User.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return next((user for user in locked if user.id == user_id), None)
