"""Idempotency-Key: a repeated POST gets the first answer again instead of creating twice."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy import bindparam, delete, func, insert

from src.access.principals import Principal, current_principal
from src.database import ReadsDep, TransactionDep
from src.dependencies import ClockDep
from src.exceptions import InvalidInputError
from src.idempotency.exceptions import KeyInUseError, KeyReusedError
from src.idempotency.models import IdempotencyRecord
from src.sql.pool import Transaction
from src.sql.shapes import Shape
from src.sql.statements import Read, Runner, Statement

KEPT = timedelta(hours=24)
_KEPT_HEADERS = ("content-type", "location", "etag")

_lock = Read(
    Shape({"locked": func.pg_try_advisory_xact_lock(func.hashtextextended(bindparam("name"), 0))})
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
        IdempotencyRecord.user_id == bindparam("user_id"),
        IdempotencyRecord.key == bindparam("key"),
        IdempotencyRecord.created_at > bindparam("oldest"),
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
    """The key of the current request, if it has one.

    `kept` is the answer to an earlier request with it, which may be sent at once. To leave that to
    `once` is right too, but then what comes before it is done again.
    """

    transaction: Transaction
    user_id: UUID
    key: str | None
    request_hash: bytes
    now: datetime
    kept: Response | None

    async def once(self, answer: Callable[[], Awaitable[Response]]) -> Response:
        """What `answer` returns, or what it returned to the first request with this key.

        It is kept in the same transaction as what it reports. Any token of the user's that the
        route lets in gets it again, so it tells only what the request brought and what is public.

        Raises:
            KeyReusedError: the key was used for another request.
            KeyInUseError: the first request with it still runs.
        """
        if self.key is None:
            return await answer()
        name = f"idempotency:{self.user_id}:{self.key}"
        lock = await _lock.first(self.transaction, name=name)
        if not (lock and lock["locked"]):
            raise KeyInUseError
        row = {"user_id": self.user_id, "key": self.key, "oldest": self.now - KEPT}
        kept = await _find(self.transaction, row, self.request_hash)
        if kept is None:
            kept = await answer()
            await _forget.run(self.transaction, row)  # after the user's row is locked, if it is
            await self._keep(kept)
        return kept

    async def _keep(self, response: Response) -> None:
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


async def _find(runner: Runner, row: Mapping[str, object], request_hash: bytes) -> Response | None:
    kept = await _kept_answer.first(runner, **row)
    if kept is None:
        return None
    if kept["request_hash"] != request_hash:
        raise KeyReusedError
    return Response(kept["body"], kept["status"], json.loads(kept["headers"]))


async def get_idempotency(
    request: Request,
    caller: Annotated[Principal, Depends(current_principal)],
    transaction: TransactionDep,
    reads: ReadsDep,
    clock: ClockDep,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    ] = None,
) -> Idempotency:
    """The request's key.

    Raises:
        InvalidInputError: there are two.
        KeyReusedError: the key was used for another request.
    """
    now, request_hash, kept = clock.now(), b"", None
    if idempotency_key is not None:
        if len(request.headers.getlist("idempotency-key")) > 1:
            raise InvalidInputError.at("header", "idempotency-key", type="repeated")
        request_hash = hashlib.sha256(
            f"{request.method} {request.url.path}\n".encode() + await request.body()
        ).digest()
        row = {"user_id": caller.user_id, "key": idempotency_key, "oldest": now - KEPT}
        kept = await _find(reads, row, request_hash)
    return Idempotency(transaction, caller.user_id, idempotency_key, request_hash, now, kept)


IdempotencyDep = Annotated[Idempotency, Depends(get_idempotency)]
