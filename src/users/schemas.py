"""What travels about users."""

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from src.locales import Locale
from src.schemas import Input, Output, Text, left_out
from src.users.emails import MAX_EMAIL_LENGTH, normalize_email
from src.validation.invalid_values import invalid
from src.validation.settings import validation_settings

MAX_PROFILE_BYTES = 32 * 1024  # in JSON: the longest bio takes it when its letters are escaped
MIN_USERNAME_LENGTH = 3
MAX_USERNAME_LENGTH = 32
_NOT_IN_A_USERNAME = re.compile("[^A-Za-z0-9_-]")


def _username(raw: str) -> str:
    name = raw.strip()
    if _NOT_IN_A_USERNAME.search(name):
        raise invalid("username_invalid")
    if len(name) < MIN_USERNAME_LENGTH:
        raise invalid("username_too_short", min=MIN_USERNAME_LENGTH)
    if len(name) > MAX_USERNAME_LENGTH:
        raise invalid("username_too_long", max=MAX_USERNAME_LENGTH)
    return name.lower()


def _email(raw: str) -> str:
    settings = validation_settings.get()
    in_tests = settings is not None and settings.environment == "test"
    return normalize_email(raw, test_environment=in_tests)


def _mailable(email: str) -> str:
    settings = validation_settings.get()
    if settings and not settings.smtputf8 and not email.rpartition("@")[0].isascii():
        raise invalid("email_not_ascii")
    return email


Username = Annotated[
    str,
    AfterValidator(_username),
    Field(examples=["ann"], json_schema_extra={"pattern": "^[A-Za-z0-9_-]{3,32}$"}),
]
DisplayName = Annotated[str, Text(80), Field(examples=["Ann Newcomer"])]
Bio = Annotated[str, Text(2000, lines=True, empty=True), Field(examples=["I write about boats."])]
# An address in the one form in which the same mailbox always compares equal.
Email = Annotated[
    str,
    AfterValidator(_email),
    Field(
        examples=["ann@example.com"],
        json_schema_extra={"format": "email", "maxLength": MAX_EMAIL_LENGTH},
    ),
]
# One that is to be an account's: our mail has to reach it, maybe without SMTPUTF8.
NewEmail = Annotated[Email, AfterValidator(_mailable)]


UsernameObstacle = TypeAliasType("UsernameObstacle", Literal["taken", "reserved", "invalid"])


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
    email_undeliverable_at: Annotated[
        datetime | None, Field(description="Since when the address takes no mail")
    ]
    username: str
    requested_username: Annotated[
        str | None,
        Field(
            description="What you asked for when you registered, if somebody was faster; null once"
            " you have set a username"
        ),
    ]
    display_name: str
    bio: str
    locale: Locale
    roles: Annotated[list[str], Field(examples=[["moderator"]])]
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
    """What everybody may see of a user. Avatars are not there yet: `avatar_url` is null.

    `following` is about the caller, and false for a token without `follows:read`.
    """

    id: UUID
    username: str
    display_name: str
    bio: str
    avatar_url: str | None = None
    posts_count: int
    followers_count: int
    following_count: int
    following: bool = False
    created_at: datetime


class UsernameAvailability(Output):
    """Whether a username can be taken, and if not, why."""

    available: Annotated[bool, Field(examples=[True])]
    reason: UsernameObstacle | None
