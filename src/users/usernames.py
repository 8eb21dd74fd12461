"""Which usernames can be taken: none that is reserved, or that somebody gave up a while ago.

Who gives a name up, by taking another or by deleting the account, leaves it held for `HELD`, so
that nobody else can pass for them at once. Of a user's former names only the last is held, who
may take it again. Names that are held are stored as digests alone.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from src.sql.pool import Pool
from src.sql.session import DatabaseSession
from src.sql.statements import Query
from src.users.exceptions import UsernameTakenError
from src.users.models import HeldUsername, User

HELD = timedelta(days=30)
_FILE = Path(__file__).with_name("reserved_usernames.txt")


def _undivided(username: str) -> str:
    return username.replace("-", "").replace("_", "").lower()


_RESERVED = frozenset(
    _undivided(line) for line in _FILE.read_text().splitlines() if line and not line.startswith("#")
)


@Query
def _owner(username: str) -> Select[UUID]:
    return select(User.id).where(User.username == username)


@Query
def _hold(digest: bytes, now: datetime) -> Select[datetime]:
    return select(HeldUsername.held_until).where(
        HeldUsername.digest == digest, HeldUsername.held_until > now
    )


def is_reserved(username: str, more: Iterable[str]) -> bool:
    """Whether it is one of our file's names or of `more`, however `-` and `_` divide it."""
    plain = _undivided(username)
    return plain in _RESERVED or plain in map(_undivided, more)


async def obstacle(
    reads: Pool, username: str, more_reserved: Iterable[str], now: datetime
) -> Literal["reserved", "taken"] | None:
    """Why nobody can take the username now, if so; whoever takes it is still told by `take`."""
    if is_reserved(username, more_reserved):
        return "reserved"
    if await _owner.first(reads, username=username):
        return "taken"
    return "taken" if await _hold.first(reads, digest=_digest(username), now=now) else None


def named(name: str) -> ColumnElement[bool]:
    """Whose address or username it is, in the form that is stored: no username is an address."""
    return or_(User.email == name, User.username == name)


async def require_not_held(
    session: DatabaseSession, username: str, user_id: UUID, now: datetime
) -> None:
    """Refuse a name that is held for others than the user who has just been given it.

    After the INSERT or UPDATE that gave it to them: that has waited for whoever was giving it up,
    and what they left is seen now.

    Raises:
        UsernameTakenError: it is.
    """
    held = await session.scalar(
        select(HeldUsername.digest).where(
            HeldUsername.digest == _digest(username),
            HeldUsername.held_until > now,
            HeldUsername.user_id.is_distinct_from(user_id),
        )
    )
    if held:
        raise UsernameTakenError


async def hold(
    session: DatabaseSession, username: str, user_id: UUID | None, now: datetime
) -> None:
    """Hold a name that was given up, for that user if they stay; one before that is free."""
    if user_id is not None:
        await session.execute(delete(HeldUsername).where(HeldUsername.user_id == user_id))
    values = {"user_id": user_id, "held_until": now + HELD}
    await session.execute(
        insert(HeldUsername)
        .values(digest=_digest(username), **values)
        .on_conflict_do_update(index_elements=[HeldUsername.digest], set_=values)
    )


def _digest(username: str) -> bytes:
    return hashlib.sha256(username.encode()).digest()
