"""The keys that sign access tokens. They rotate while the servers run.

The key of JWT_PRIVATE_KEY is the first one, and signs until the table `signing_keys` has another. A
new key is published before it signs: it begins `PUBLISHED_BEFORE` later, when every process has
read it and every cache of the public keys has it. The key before goes on to verify until the last
token that it signed has expired.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from src.access.encryption import SecretBox
from src.audit import log as audit
from src.auth.models import SigningKey
from src.auth.tokens.jwt import CLOCK_SKEW, Key
from src.config import Settings
from src.database import Database
from src.settings.secrets import new_private_key
from src.sql.session import DatabaseSession
from src.sql.shapes import Document, Shape
from src.sql.statements import Rows, read

logger = logging.getLogger(__name__)

PURPOSE = "signing-key"
RELOAD_AFTER = timedelta(seconds=5)
JWKS_MAX_AGE = timedelta(minutes=5)  # that others may keep the public keys for
PUBLISHED_BEFORE = 2 * JWKS_MAX_AGE
# A token may name a key that is newer than what was read; hostile ones must not cost a query each.
UNKNOWN_KID_AFTER = timedelta(seconds=1)
# How long after a rotation a process may still sign with the key before.
RELOAD_MARGIN = 2 * RELOAD_AFTER
_LONG_AGO = datetime.fromtimestamp(0, UTC)

STORED_KEY = Shape(
    {
        "kid": SigningKey.kid,
        "public_key": SigningKey.public_key,
        "encrypted_private_key": SigningKey.encrypted_private_key,
        "created_at": SigningKey.created_at,
        "signs_from": SigningKey.signs_from,
        "retired_at": SigningKey.retired_at,
    }
)


@read(STORED_KEY)
def _stored_keys(rows: Rows, now: datetime, first_kid: str) -> Rows:
    return rows.where(
        or_(
            SigningKey.retired_at.is_(None),
            SigningKey.retired_at > now,
            SigningKey.kid == first_kid,
        )
    ).order_by(SigningKey.created_at.desc())


class KeySet(NamedTuple):
    """The keys that verify at a time, by `kid`, and the one of them that signs."""

    by_kid: Mapping[str, Key]
    signing: Key | None
    read_at: datetime
    stale_at: datetime


class SigningKeys:
    """The keys of one process, read again when they are older than `RELOAD_AFTER`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._first = Key.private(settings.jwt_private_key.get_secret_value())
        self._box = _box(settings)
        self._reads = database.reads
        self._keys = KeySet({}, None, _LONG_AGO, _LONG_AGO)
        self._reading: asyncio.Task[None] | None = None

    async def current(self, now: datetime) -> KeySet:
        """The keys of now.

        Raises:
            OverloadedError, asyncpg.PostgresError, OSError: they cannot be read.
        """
        set_back = now < self._keys.read_at - RELOAD_AFTER  # the clock of this machine
        if now >= self._keys.stale_at or set_back:
            await self._read(now)
        return self._keys

    async def find(self, kid: str, now: datetime) -> Key | None:
        """A key that verifies now."""
        keys = await self.current(now)
        if kid not in keys.by_kid and now - keys.read_at >= UNKNOWN_KID_AFTER:
            await self._read(now)
        return self._keys.by_kid.get(kid)

    async def _read(self, now: datetime) -> None:
        """Read them once for all who wait; whoever gives up does not stop it for the others."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._load(now))
            self._reading.add_done_callback(self._have_read)
        await asyncio.shield(self._reading)

    def _have_read(self, reading: "asyncio.Task[None]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # those who wait get it; there may be none left

    async def _load(self, now: datetime) -> None:
        rows = await _stored_keys.all(self._reads, now=now, first_kid=self._first.kid)
        if all(row["kid"] != self._first.kid for row in rows):
            rows.append(
                {
                    "kid": self._first.kid,
                    "created_at": _LONG_AGO,
                    "signs_from": None,
                    "retired_at": None,
                }
            )
        by_kid: dict[str, Key] = {}
        signing, best = None, (False, False, _LONG_AGO)
        changes = [now + RELOAD_AFTER]
        for row in rows:
            retired_at: datetime | None = row["retired_at"]
            if retired_at and retired_at <= now:
                continue
            key = self._keys.by_kid.get(row["kid"]) or self._open(row)
            if key is None:
                continue
            by_kid[key.kid] = key
            begins = begins_at(row["created_at"], row["signs_from"])
            changes += [at for at in (begins, retired_at) if at and at > now]
            # Rather a key that is about to end than one that not every process knows.
            rank = begins <= now, retired_at is None, row["created_at"]
            if key.signer and rank >= best:
                signing, best = key, rank
        if signing is None:
            logger.error("no key can sign access tokens: run `python -m src keys rotate`")
        self._keys = KeySet(by_kid, signing, now, min(changes))

    def _open(self, row: Document) -> Key | None:
        """The key of a row: a pair, if it was sealed under this SECRET_KEY."""
        kid = row["kid"]
        if kid == self._first.kid:
            return self._first
        sealed = row["encrypted_private_key"]
        try:
            key = Key.public(row["public_key"])
        except ValueError:
            logger.warning("signing key %s is of no kind that this version knows", kid)
            return None
        if sealed is None:
            return key
        try:
            return Key.private(self._box.open(sealed, kid.encode()).decode())
        except ValueError:
            logger.warning(
                "signing key %s was made under another SECRET_KEY: it verifies but does not sign. "
                "Make a new one: python -m src keys rotate",
                kid,
            )
            return key


async def rotate(
    session: DatabaseSession,
    settings: Settings,
    now: datetime,
    *,
    at_once: bool = False,
    revoke_old: bool = False,
) -> str:
    """Make the key that signs next, in the caller's transaction; its `kid`.

    It signs when every cache has it, or `at_once`, when every process has. The others verify until
    their last tokens have expired, or with `revoke_old` no more, and then it signs at once.
    """
    signs_from = now + (RELOAD_AFTER if at_once or revoke_old else PUBLISHED_BEFORE)
    # One rotation after the other; the servers read on.
    await session.execute(text("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE"))
    first = Key.private(settings.jwt_private_key.get_secret_value())
    await session.execute(
        insert(SigningKey)
        .values(kid=first.kid, public_key=first.public_pem, created_at=_LONG_AGO)
        .on_conflict_do_nothing()
    )
    endless = SigningKey.retired_at.is_(None)
    if revoke_old:  # on machines whose clock is behind, too
        retired_at = now - CLOCK_SKEW
        ending = or_(endless, SigningKey.retired_at > retired_at)
    else:
        retired_at = signs_from + settings.access_token_lifetime + CLOCK_SKEW + RELOAD_MARGIN
        ending = endless
    await session.execute(update(SigningKey).where(ending).values(retired_at=retired_at))
    pem = new_private_key()
    key = Key.private(pem)
    session.add(
        SigningKey(
            kid=key.kid,
            public_key=key.public_pem,
            encrypted_private_key=_box(settings).seal(pem.encode(), key.kid.encode()),
            created_at=now,
            signs_from=signs_from,
        )
    )
    await audit.record(
        session, "signing_key.rotated", at=now, peer=None, kid=key.kid, old_revoked=revoke_old
    )
    await session.flush()
    return key.kid


async def described(
    session: DatabaseSession, settings: Settings, now: datetime
) -> list[tuple[str, str]]:
    """The `kid` of each key, the newest first, and in words what it does."""
    keys = list(await session.scalars(select(SigningKey).order_by(SigningKey.created_at.desc())))
    if not keys:
        first = Key.private(settings.jwt_private_key.get_secret_value())
        return [(first.kid, "signs; it is that of JWT_PRIVATE_KEY")]
    return [(key.kid, what) for key, what in states(keys, now)]


def states(keys: Sequence[SigningKey], now: datetime) -> Iterator[tuple[SigningKey, str]]:
    """What each of these keys does now, in words; whether SECRET_KEY opens it is not looked at."""
    living = [key for key in keys if key.retired_at is None or key.retired_at > now]
    begun = [key for key in living if begins_at(key.created_at, key.signs_from) <= now]
    # As in `_load`, where there is none that has begun the next one signs.
    signing = max(begun or living, key=lambda key: (key.retired_at is None, key.created_at))
    for key in keys:
        if key.retired_at and key.retired_at <= now:
            yield key, f"has ended {key.retired_at:%Y-%m-%d %H:%M:%S} UTC"
        elif key is signing:
            yield key, "signs"
        elif (begins := begins_at(key.created_at, key.signs_from)) > now:
            yield key, f"is published; signs from {begins:%Y-%m-%d %H:%M:%S} UTC"
        else:
            yield key, f"verifies until {key.retired_at:%Y-%m-%d %H:%M:%S} UTC"


def begins_at(created_at: datetime, signs_from: datetime | None) -> datetime:
    """When a key begins to sign."""
    return signs_from or created_at + RELOAD_AFTER


def _box(settings: Settings) -> SecretBox:
    return SecretBox(settings.secret_key.get_secret_value(), PURPOSE)
