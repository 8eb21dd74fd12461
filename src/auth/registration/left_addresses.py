"""Addresses that an account gives up without having confirmed them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from src.auth.models import EmailLink, Registration
from src.ids import uuid7
from src.sql.session import DatabaseSession
from src.users.models import User
from src.users.service import suggest_username


async def leave_address(session: DatabaseSession, user_id: UUID, email: str, now: datetime) -> None:
    """Let those who registered the address too go on as if the account had never had it.

    Somebody else may have opened the account of an address that is theirs: their registrations and
    links move to a new account, so they can still confirm. Call it when the account, which is
    locked, has another address.
    """
    others = Registration.user_id == user_id, Registration.opened_account.is_(False)
    first = await session.scalar(select(Registration).where(*others).order_by(Registration.id))
    if first is None:
        return
    heir = User(
        id=uuid7(),
        email=email,
        username=suggest_username(first.display_name),
        display_name=first.display_name,
        locale=first.locale,
        password_hash=first.password_hash,
        created_at=now,
        updated_at=now,
    )
    await session.insert(heir)
    await session.execute(update(Registration).where(*others).values(user_id=heir.id))
    first.opened_account = True
    await session.execute(
        update(EmailLink)
        .where(EmailLink.user_id == user_id, EmailLink.purpose == "confirm")
        .values(user_id=heir.id)
    )
    await session.flush()
