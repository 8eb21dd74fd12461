"""Passwords, and what wrong ones cost."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from src.addresses.urls import check_web_url
from src.settings.values import Count, Duration, SettingsGroup, Wait


class PasswordSettings(SettingsGroup):
    """Passwords, and what wrong ones cost."""

    password_min_length: Annotated[int, Field(ge=8, le=64)] = 8
    breached_passwords_url: str | None = None
    bcrypt_rounds: Annotated[int, Field(ge=4, le=20)] = 12
    password_threads: Annotated[int, Field(ge=1, le=64)] | None = None
    password_wait_seconds: Wait = 5.0

    # Wrong passwords and codes in a row before each further one has to wait
    failures_per_account: Count = 15
    failures_per_address: Count = 50
    failures_per_pair: Count = 5
    longest_backoff: Duration = timedelta(minutes=15)

    @field_validator("breached_passwords_url")
    @classmethod
    def _https_only(cls, value: str | None) -> str | None:
        if value:
            check_web_url(value, "https", "http")
            url = urlsplit(value)
            if url.scheme == "http" and url.hostname != "127.0.0.1":
                raise ValueError("must begin with https://")
        return value.rstrip("/") if value else None
