"""Where the database is, and how long it is waited for."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from src.addresses.urls import check_database_url
from src.settings.values import SettingsGroup, Wait


class DatabaseSettings(SettingsGroup):
    """Where the database is, and how long it is waited for."""

    database_url: SecretStr | None = None
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    read_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    database_wait_seconds: Wait = 5.0
    statement_timeout_seconds: Wait = 15.0

    @field_validator("database_url")
    @classmethod
    def _readable_database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            check_database_url(value.get_secret_value())
        return value
