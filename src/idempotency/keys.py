"""Idempotency-Key: a repeated POST gets the first answer again instead of creating twice."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy import Delete, Select, delete, func, select

from src.access.encryption import SecretBox
from src.access.principals import Principal, current_principal
from src.dependencies import ClockDep, ReadsDep, SettingsDep
from src.exceptions import InvalidInputError
from src.idempotency.exceptions import KeyInUseError, KeyReusedError
from src.idempotency.models import IdempotencyRecord
from src.sql.statements import NewRow, Query, Runner, Statement

KEPT = timedelta(hours=24)
PURPOSE = "idempotency"
_KEPT_HEADERS = ("content-type", "location", "etag", "cache-control")


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
class _Answers:
    """The answer to the first request with a user's key. It may hold a token, so it is sealed."""

    user_id: UUID
    key: str
    request_hash: bytes
    box: SecretBox

    @property
    def owner(self) -> bytes:
        return self.user_id.bytes + self.key.encode()

    async def find(self, runner: Runner, now: datetime) -> Response | None:
        oldest = now - KEPT
        kept = await _kept_answer.first(runner, user_id=self.user_id, key=self.key, oldest=oldest)
        if kept is None:
            return None
        request_hash, status, headers, body = kept
        if request_hash != self.request_hash:
            raise KeyReusedError
        return Response(self.box.open(body, self.owner), status, headers)

    async def lock(self, work: Runner) -> None:
        name = f"idempotency:{self.user_id}:{self.key}"
        if await _lock.first(work, name=name) != (True,):
            raise KeyInUseError

    async def keep(self, work: Runner, now: datetime, response: Response) -> None:
        await _forget.run(work, user_id=self.user_id, key=self.key, oldest=now - KEPT)
        headers = {
            name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
        }
        answer = {
            "user_id": self.user_id,
            "key": self.key,
            "request_hash": self.request_hash,
            "status": response.status_code,
            "headers": json.dumps(headers),
            "body": self.box.seal(bytes(response.body), self.owner),
            "created_at": now,
        }
        await _new_record.write(work, answer)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key of the current request, if it has one.

    `kept` is the answer to an earlier request with it, which may be sent at once. To leave that to
    `once` is right too, but then what comes before it is done again.
    """

    now: datetime
    answers: _Answers | None = None
    kept: Response | None = None

    async def once(self, work: Runner, answer: Callable[[], Awaitable[Response]]) -> Response:
        """What `answer` returns, or what it returned to the first request with this key.

        It is kept in the transaction or session of the `work` that it reports. Any token of the
        user's that the route lets in gets it again, so it tells only what the request brought, what
        it made, and what is public.

        Raises:
            KeyReusedError: the key was used for another request.
            KeyInUseError: the first request with it still runs.
        """
        if self.answers is None:
            return await answer()
        await self.answers.lock(work)
        kept = await self.answers.find(work, self.now)
        if kept is None:
            kept = await answer()
            await self.answers.keep(
                work, self.now, kept
            )  # after the user's row is locked, if it is
        return kept


async def get_idempotency(
    request: Request,
    caller: Annotated[Principal, Depends(current_principal)],
    reads: ReadsDep,
    clock: ClockDep,
    settings: SettingsDep,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    ] = None,
) -> Idempotency:
    """The request's key.

    Raises:
        InvalidInputError: there are two.
        KeyReusedError: the key was used for another request.
    """
    now = clock.now()
    if idempotency_key is None:
        return Idempotency(now)
    if len(request.headers.getlist("idempotency-key")) > 1:
        raise InvalidInputError.at("header", "idempotency-key", type="repeated")
    secret_key = settings.secret_key.get_secret_value()
    # With a key of ours: a body may hold a password, which a bare digest would help to guess.
    request_hash = hmac.digest(
        f"{PURPOSE}:{secret_key}".encode(),
        f"{request.method} {request.url.path}\n".encode() + await request.body(),
        "sha256",
    )
    box = SecretBox(secret_key, PURPOSE)
    answers = _Answers(caller.user_id, idempotency_key, request_hash, box)
    return Idempotency(now, answers, await answers.find(reads, now))


IdempotencyDep = Annotated[Idempotency, Depends(get_idempotency)]
