"""Administrators: there is always one left."""

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from src.permissions import ADMIN
from src.users.exceptions import LastAdministratorError
from src.users.models import User

_active_administrators = (
    select(User.id)
    .where(
        text("users.roles <> '{}'"),  # as a literal, so that the partial index serves
        User.roles.contains([ADMIN]),
        User.is_active,
    )
    .order_by(User.id)
)


async def require_another_administrator(session: AsyncSession, user: User) -> None:
    """Refuse to lose `user` as an administrator when no other active one is left.

    Locks every active administrator, in the order of their ids, before it decides: of two who go at
    once, the second sees what the first has done. Call it before the transaction locks or changes
    any user, since another may hold the rest and wait for him.

    Raises:
        LastAdministratorError: there is no other.
    """
    administrators = await session.scalars(_active_administrators.with_for_update())
    if set(administrators) <= {user.id}:
        raise LastAdministratorError
