"""Idempotency-Key: a repeated POST gets the first answer again instead of creating twice."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Request, Response
from sqlalchemy import ForeignKey, Index, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from src.database import Base, SessionDep
from src.dependencies import ClockDep
from src.exceptions import AppError, ConflictError
from src.jobs import JobContext, Schedule
from src.security import Principal, current_principal

KEPT = timedelta(hours=24)
_KEPT_HEADERS = ("content-type", "location", "etag")


class IdempotencyRecord(Base):
    """The answer that a key got."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status: Mapped[int]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes]
    created_at: Mapped[datetime]


class KeyReusedError(AppError):
    """The key was used for another request."""

    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another request"


class KeyInUseError(ConflictError):
    """The first request with this key has not ended yet."""

    code = "idempotency_key_in_use"
    title = "The first request with this Idempotency-Key still runs"


class Replay(Exception):
    """Ends the request with an answer given before."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key of the current request, if it has one."""

    session: AsyncSession
    user_id: UUID
    key: str | None
    request_hash: bytes
    now: datetime

    async def remember(self, response: Response) -> Response:
        """Keep the answer under the key, in the same transaction as what it reports."""
        if self.key is not None:
            self.session.add(
                IdempotencyRecord(
                    user_id=self.user_id,
                    key=self.key,
                    request_hash=self.request_hash,
                    status=response.status_code,
                    headers={
                        name: response.headers[name]
                        for name in _KEPT_HEADERS
                        if name in response.headers
                    },
                    body=bytes(response.body),
                    created_at=self.now,
                )
            )
            await self.session.flush()
        return response


async def get_idempotency(
    request: Request,
    caller: Annotated[Principal, Depends(current_principal)],
    session: SessionDep,
    clock: ClockDep,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    ] = None,
) -> Idempotency:
    """Look the key up before the endpoint runs.

    Raises:
        Replay: the same request was answered before.
        KeyReusedError: the key was used for another request.
        KeyInUseError: the first request with it still runs.
    """
    now = clock.now()
    if idempotency_key is None:
        return Idempotency(session, caller.user_id, None, b"", now)
    request_hash = hashlib.sha256(
        f"{request.method} {request.url.path}\n".encode() + await request.body()
    ).digest()
    subject = f"idempotency:{caller.user_id}:{idempotency_key}"
    if not await session.scalar(
        select(func.pg_try_advisory_xact_lock(func.hashtextextended(subject, 0)))
    ):
        raise KeyInUseError
    found = (
        IdempotencyRecord.user_id == caller.user_id,
        IdempotencyRecord.key == idempotency_key,
    )
    await session.execute(
        delete(IdempotencyRecord).where(*found, IdempotencyRecord.created_at <= now - KEPT)
    )
    record = await session.scalar(select(IdempotencyRecord).where(*found))
    if record is None:
        return Idempotency(session, caller.user_id, idempotency_key, request_hash, now)
    if record.request_hash != request_hash:
        raise KeyReusedError
    raise Replay(Response(record.body, record.status, record.headers))


def install(app: FastAPI) -> None:
    """Answer a repeated request with what was answered before."""

    async def replay(_: Request, signal: Exception) -> Response:
        return cast("Replay", signal).response

    app.add_exception_handler(Replay, replay)


async def _forget_old_keys(context: JobContext) -> None:
    """Delete the keys that are not kept any more."""
    async with context.database.independent_transaction() as session:
        oldest = context.clock.now() - KEPT
        await session.execute(
            delete(IdempotencyRecord).where(IdempotencyRecord.created_at <= oldest)
        )


SCHEDULES = [Schedule("idempotency.forget_old_keys", "17 * * * *", _forget_old_keys)]


IdempotencyDep = Annotated[Idempotency, Depends(get_idempotency)]
