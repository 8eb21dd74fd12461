"""What travels about users."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from src.schemas import SINGLE_LINE, STORABLE, Input, Output, left_out
from src.users.emails import normalize_email

MAX_PROFILE_BYTES = 32 * 1024  # in JSON: the longest bio takes it when its letters are escaped

Locale: TypeAlias = Literal["en", "ru"]

Username = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9_-]{3,32}$"),
]
DisplayName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), SINGLE_LINE
]
Bio = Annotated[str, Field(max_length=2000), STORABLE]
# An address in the one form in which the same mailbox always compares equal.
Email = Annotated[str, Field(max_length=320), AfterValidator(normalize_email)]


class UserUpdate(Input):
    """The fields of one's own profile; those left out stay as they are."""

    display_name: DisplayName = left_out()
    username: Username = left_out()
    bio: Bio = left_out()
    locale: Locale = left_out()


class UserRead(Output):
    """One's own account."""

    id: UUID
    email: str
    email_verified: bool
    username: str
    display_name: str
    bio: str
    locale: Locale
    roles: list[str]
    mfa_enabled: bool
    avatar_url: str | None = None
    posts_count: int
    version: int
    created_at: datetime
    updated_at: datetime


class ManagedUser(UserRead):
    """An account as those see it who manage users."""

    is_active: bool
    last_sign_in_at: datetime | None


class UserProfile(Output):
    """What everybody may see of a user.

    Avatars and following are not there yet: their fields are null, 0 or false.
    """

    id: UUID
    username: str
    display_name: str
    bio: str
    avatar_url: str | None = None
    posts_count: int
    followers_count: int = 0
    following_count: int = 0
    following: bool = False
    created_at: datetime
