"""Administrators: there is always one left."""

from uuid import UUID

from sqlalchemy import literal, select, text, union_all

from src.access.permissions import ADMIN
from src.sql.session import DatabaseSession
from src.users.exceptions import LastAdministratorError
from src.users.models import User

_active_administrators = select(User.id).where(
    text("users.roles <> '{}'"),  # as a literal, so that the partial index serves
    User.roles.contains([ADMIN]),
    User.is_active,
)


async def require_another_administrator(
    session: DatabaseSession, user: User, *, by: UUID | None = None
) -> None:
    """Refuse to lose `user` as an administrator when no other active one is left.

    Locks every active administrator, the user, and `by` whom it is done, who may be none any more,
    in the order of their ids, before it decides: of two who go at once, the second sees what the
    first has done. Call it before the transaction locks or changes any user, since another may hold
    the rest and wait for that one.

    Raises:
        LastAdministratorError: there is no other.
    """
    others = [select(literal(id_)) for id_ in (user.id, by or user.id)]
    locked = await session.execute(
        select(User.id, User.roles, User.is_active)
        .where(User.id.in_(union_all(_active_administrators, *others)))
        .order_by(User.id)
        .with_for_update()
    )
    # As they are now that nobody else can change them.
    administrators = {id_ for id_, roles, is_active in locked if is_active and ADMIN in roles}
    if administrators <= {user.id}:
        raise LastAdministratorError
