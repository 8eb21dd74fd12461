"""Accounts, their sessions and tokens."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from src.settings.values import COMMAS, Count, Duration, SettingsGroup, seconds

_USERNAME = re.compile(r"[A-Za-z0-9_-]+")


class AccountSettings(SettingsGroup):
    """Accounts, their sessions and tokens."""

    require_confirmed_email: bool = True
    reserved_usernames: Annotated[list[str], *COMMAS] = []
    token_audience: str = ""
    access_token_lifetime: Duration = timedelta(minutes=10)
    session_idle_lifetime: Duration = timedelta(days=14)
    session_absolute_lifetime: Duration = timedelta(days=60)
    refresh_grace: Annotated[
        timedelta,
        BeforeValidator(seconds),
        Field(ge=timedelta(0), le=timedelta(minutes=1)),
    ] = timedelta(seconds=10)
    email_link_lifetime: Duration = timedelta(hours=24)
    password_reset_lifetime: Duration = timedelta(hours=1)
    email_links_per_hour: Count = 5
    personal_token_lifetime: Duration = timedelta(days=366)
    mfa_challenge_lifetime: Duration = timedelta(minutes=5)
    # In an otpauth URL, a colon divides it from the account.
    mfa_issuer: Annotated[str, Field(pattern="^[^:]*$", max_length=64)] = ""

    @field_validator("reserved_usernames")
    @classmethod
    def _usernames(cls, value: list[str]) -> list[str]:
        if not all(_USERNAME.fullmatch(name) for name in value):
            raise ValueError("takes names of letters a-z, digits, - and _, separated by commas")
        return value
