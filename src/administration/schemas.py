"""What travels between administrators and us."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue

from src.access.permissions import Role
from src.pagination import PageQuery
from src.schemas import Id, Input, Output, Text, Timestamp, left_out


def _sorted_without_repeats(roles: list[Role]) -> list[Role]:
    return sorted(set(roles))


Roles = Annotated[
    list[Role],
    Field(max_length=20, examples=[["moderator"]]),
    AfterValidator(_sorted_without_repeats),
]
# A part of a username, a name or an address.
SearchText = Annotated[str, Text(100)]
# What an event is called, such as `sign_in.failed`.
Action = Annotated[str, Field(max_length=64, pattern=r"^[a-z_]+(\.[a-z_]+)*$")]


class UserFilter(PageQuery):
    """Which users to list."""

    q: Annotated[
        SearchText | None, Field(description="A part of the username, name or address")
    ] = None
    role: Role | None = None
    is_active: bool | None = None
    email_verified: bool | None = None
    created_after: Timestamp | None = None
    created_before: Timestamp | None = None


class ManagedUserUpdate(Input):
    """The fields to change; those left out stay as they are."""

    is_active: Annotated[bool, Field(examples=[True])] = left_out()
    roles: Roles = left_out()


class AuditFilter(PageQuery):
    """Which entries of the audit log to list."""

    user_id: Id | None = None
    actor_id: Id | None = None
    action: Action | None = None
    since: Annotated[Timestamp | None, Field(description="From this moment on")] = None
    until: Annotated[Timestamp | None, Field(description="Before this moment")] = None


class AuditEntryRead(Output):
    """One event: `actor_id` did it to `user_id`; null for nobody who was signed in."""

    id: UUID
    at: datetime
    action: Annotated[str, Field(examples=["sign_in.failed"])]
    actor_id: UUID | None
    user_id: UUID | None
    address: str | None
    device: str
    details: dict[str, JsonValue]
