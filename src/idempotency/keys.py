"""Idempotency-Key: a repeated POST gets the first answer again instead of creating twice."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy import Delete, Select, delete, func, select

from src.access.principals import Principal, current_principal
from src.dependencies import ClockDep, ReadsDep
from src.exceptions import InvalidInputError
from src.idempotency.exceptions import KeyInUseError, KeyReusedError
from src.idempotency.models import IdempotencyRecord
from src.sql.statements import NewRow, Query, Runner, Statement

KEPT = timedelta(hours=24)
_KEPT_HEADERS = ("content-type", "location", "etag")


@Query
def _lock(name: str) -> Select[bool]:
    return select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0)))


@Query
def _kept_answer(
    user_id: UUID, key: str, oldest: datetime
) -> Select[bytes, int, dict[str, str], bytes]:
    return select(
        IdempotencyRecord.request_hash,
        IdempotencyRecord.status,
        IdempotencyRecord.headers,
        IdempotencyRecord.body,
    ).where(
        IdempotencyRecord.user_id == user_id,
        IdempotencyRecord.key == key,
        IdempotencyRecord.created_at > oldest,
    )


@Statement
def _forget(user_id: UUID, key: str, oldest: datetime) -> Delete:
    return delete(IdempotencyRecord).where(
        IdempotencyRecord.user_id == user_id,
        IdempotencyRecord.key == key,
        IdempotencyRecord.created_at <= oldest,
    )


_new_record = NewRow(IdempotencyRecord)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key of the current request, if it has one.

    `kept` is the answer to an earlier request with it, which may be sent at once. To leave that to
    `once` is right too, but then what comes before it is done again.
    """

    user_id: UUID
    key: str | None
    request_hash: bytes
    now: datetime
    kept: Response | None

    async def once(self, work: Runner, answer: Callable[[], Awaitable[Response]]) -> Response:
        """What `answer` returns, or what it returned to the first request with this key.

        It is kept in the transaction or session of the `work` that it reports. Any token of the
        user's that the route lets in gets it again, so it tells only what the request brought and
        what is public.

        Raises:
            KeyReusedError: the key was used for another request.
            KeyInUseError: the first request with it still runs.
        """
        if self.key is None:
            return await answer()
        name = f"idempotency:{self.user_id}:{self.key}"
        lock = await _lock.first(work, name=name)
        if lock != (True,):
            raise KeyInUseError
        oldest = self.now - KEPT
        kept = await _find(work, self.user_id, self.key, oldest, self.request_hash)
        if kept is None:
            kept = await answer()
            # After the user's row is locked, if it is.
            await _forget.run(work, user_id=self.user_id, key=self.key, oldest=oldest)
            await self._keep(work, kept)
        return kept

    async def _keep(self, work: Runner, response: Response) -> None:
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
        await _new_record.write(work, answer)


async def _find(
    runner: Runner, user_id: UUID, key: str, oldest: datetime, request_hash: bytes
) -> Response | None:
    kept = await _kept_answer.first(runner, user_id=user_id, key=key, oldest=oldest)
    if kept is None:
        return None
    first_hash, status, headers, body = kept
    if first_hash != request_hash:
        raise KeyReusedError
    return Response(body, status, headers)


async def get_idempotency(
    request: Request,
    caller: Annotated[Principal, Depends(current_principal)],
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
        kept = await _find(reads, caller.user_id, idempotency_key, now - KEPT, request_hash)
    return Idempotency(caller.user_id, idempotency_key, request_hash, now, kept)


IdempotencyDep = Annotated[Idempotency, Depends(get_idempotency)]
