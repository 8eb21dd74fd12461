"""The lists that administrators see."""

from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Select, Text, bindparam, func, literal_column, or_, text, tuple_

from src.administration.schemas import AuditFilter, UserFilter
from src.audit.models import AuditEntry
from src.pagination import MAX_LIMIT, decode_cursor
from src.sql.pool import Pool
from src.sql.shapes import Document, Shape
from src.sql.statements import Read
from src.users.emails import part_of_email
from src.users.models import User
from src.users.service import MANAGED

COMPILED_LIMITS = (21, MAX_LIMIT + 1)
AUDIT_ENTRY = Shape(
    {
        "id": AuditEntry.id,
        "at": AuditEntry.at,
        "action": AuditEntry.action,
        "actor_id": AuditEntry.actor_id,
        "user_id": AuditEntry.user_id,
        "address": AuditEntry.address,
        "device": AuditEntry.device,
        "details": AuditEntry.details,
    }
)


async def list_users(reads: Pool, which: UserFilter) -> list[Document]:
    """More rows than a page, if there are more, newest first.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    parameters = _given(which)
    if which.q is not None:
        parameters["q"] = f"%{_literally(which.q)}%"
        parameters["address"] = f"%{_literally(part_of_email(which.q))}%"
    if which.role is not None:
        parameters["role"] = [which.role]
    read = _user_list(_compiled_limit(which.limit), frozenset(parameters))
    return await read.all(reads, **parameters)


async def list_audit_log(reads: Pool, which: AuditFilter) -> list[Document]:
    """More entries than a page, if there are more, newest first.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    parameters = _given(which)
    read = _audit_list(_compiled_limit(which.limit), frozenset(parameters))
    entries = await read.all(reads, **parameters)
    for entry in entries:
        entry["details"] = orjson.loads(entry["details"])
    return entries


def _given(which: UserFilter | AuditFilter) -> dict[str, object]:
    """The filters in use, and where the page begins."""
    given = which.model_dump(exclude={"limit", "cursor"}, exclude_none=True)
    if which.cursor is not None:
        given["at"], given["id"] = decode_cursor(which.cursor)
    return given


def _literally(words: str) -> str:
    """The words as a pattern of LIKE that matches themselves."""
    return words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _compiled_limit(limit: int) -> int:
    return next(compiled for compiled in COMPILED_LIMITS if compiled > limit)


@lru_cache(maxsize=256)
def _user_list(limit: int, given: frozenset[str]) -> Read:
    """The read for one combination of filters, compiled once.

    It walks the index on `created_at`, from the newest, until the page is full. A role is looked up
    in the index of the few who have one; text that few users have is looked for in every row.
    """
    like = func.lower(bindparam("q", type_=Text()))
    conditions = {
        # Usernames and addresses are stored in lower case.
        "q": or_(
            User.username.like(like),
            User.email.like(bindparam("address")),
            func.lower(User.display_name).like(like),
        ),
        # The first part, as a literal, lets the partial index serve.
        "role": text("users.roles <> '{}'")
        & User.roles.contains(bindparam("role", type_=User.roles.type)),
        "is_active": User.is_active == bindparam("is_active"),
        "email_verified": User.email_verified_at.is_not(None) == bindparam("email_verified"),
        "created_after": User.created_at > bindparam("created_after"),
        "created_before": User.created_at < bindparam("created_before"),
        "at": tuple_(User.created_at, User.id) < tuple_(bindparam("at"), bindparam("id")),
    }

    def narrow(rows: Select[Any]) -> Select[Any]:
        return (
            rows.where(*(condition for name, condition in conditions.items() if name in given))
            .order_by(User.created_at.desc(), User.id.desc())
            .limit(literal_column(str(limit)))
        )

    # They may hold for a few users or for most, and the best plan is not the same.
    skewed = {"q", "role", "is_active", "email_verified"}
    return Read(MANAGED, narrow, replan=not given.isdisjoint(skewed))


@lru_cache(maxsize=256)
def _audit_list(limit: int, given: frozenset[str]) -> Read:
    """The read for one combination of filters, compiled once."""
    conditions = {
        "user_id": AuditEntry.user_id == bindparam("user_id"),
        "actor_id": AuditEntry.actor_id == bindparam("actor_id"),
        "action": AuditEntry.action == bindparam("action"),
        "since": AuditEntry.at >= bindparam("since"),
        "until": AuditEntry.at < bindparam("until"),
        "at": tuple_(AuditEntry.at, AuditEntry.id) < tuple_(bindparam("at"), bindparam("id")),
    }

    def narrow(rows: Select[Any]) -> Select[Any]:
        return (
            rows.where(*(condition for name, condition in conditions.items() if name in given))
            .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
            .limit(literal_column(str(limit)))
        )

    return Read(AUDIT_ENTRY, narrow, replan=not given.isdisjoint({"user_id", "actor_id", "action"}))
