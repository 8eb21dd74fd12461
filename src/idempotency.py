"""Idempotency-Key: a repeated POST gets the first answer again instead of creating twice."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Request, Response
from sqlalchemy import ForeignKey, Index, bindparam, delete, func, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from src.database import Base, TransactionDep
from src.dependencies import ClockDep
from src.exceptions import AppError, ConflictError, InvalidInputError
from src.jobs import JobContext, Schedule
from src.pool import Transaction
from src.reads import Read, Statement
from src.security import Principal, current_principal
from src.shapes import Shape

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


_lock = Read(
    Shape({"locked": func.pg_try_advisory_xact_lock(func.hashtextextended(bindparam("key"), 0))})
)
_kept_answer = Read(
    Shape(
        {
            "request_hash": IdempotencyRecord.request_hash,
            "status": IdempotencyRecord.status,
            "headers": IdempotencyRecord.headers,
            "body": IdempotencyRecord.body,
        }
    ),
    lambda rows: rows.where(
        IdempotencyRecord.user_id == bindparam("user_id"), IdempotencyRecord.key == bindparam("key")
    ),
)
_forget = Statement(
    delete(IdempotencyRecord).where(
        IdempotencyRecord.user_id == bindparam("user_id"),
        IdempotencyRecord.key == bindparam("key"),
        IdempotencyRecord.created_at <= bindparam("oldest"),
    )
)
_keep_answer = Statement(insert(IdempotencyRecord))


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key of the current request, if it has one."""

    transaction: Transaction
    user_id: UUID
    key: str | None
    request_hash: bytes
    now: datetime

    async def remember(self, response: Response) -> Response:
        """Keep the answer under the key, in the same transaction as what it reports."""
        if self.key is not None:
            headers = {
                name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
            }
            answer = {
                "user_id": self.user_id,
                "key": self.key,
                "request_hash": self.request_hash,
                "status": response.status_code,
                "headers": json.dumps(headers),
                "body": bytes(response.body),
                "created_at": self.now,
            }
            await _keep_answer.run(self.transaction, answer)
        return response


async def get_idempotency(
    request: Request,
    caller: Annotated[Principal, Depends(current_principal)],
    transaction: TransactionDep,
    clock: ClockDep,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    ] = None,
) -> Idempotency:
    """Look the key up before the endpoint runs.

    Raises:
        InvalidInputError: there are two keys.
        Replay: the same request was answered before.
        KeyReusedError: the key was used for another request.
        KeyInUseError: the first request with it still runs.
    """
    now = clock.now()
    if idempotency_key is None:
        return Idempotency(transaction, caller.user_id, None, b"", now)
    if len(request.headers.getlist("idempotency-key")) > 1:
        raise InvalidInputError.at(
            "header", "idempotency-key", msg="Send one Idempotency-Key", type="repeated"
        )
    request_hash = hashlib.sha256(
        f"{request.method} {request.url.path}\n".encode() + await request.body()
    ).digest()
    name = f"idempotency:{caller.user_id}:{idempotency_key}"
    lock = await _lock.first(transaction, key=name)
    if not (lock and lock["locked"]):
        raise KeyInUseError
    found = {"user_id": caller.user_id, "key": idempotency_key}
    await _forget.run(transaction, found | {"oldest": now - KEPT})
    answer = await _kept_answer.first(transaction, **found)
    if answer is None:
        return Idempotency(transaction, caller.user_id, idempotency_key, request_hash, now)
    if answer["request_hash"] != request_hash:
        raise KeyReusedError
    raise Replay(Response(answer["body"], answer["status"], json.loads(answer["headers"])))


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
