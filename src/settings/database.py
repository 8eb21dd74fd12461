"""Where the database is, and how long it is waited for."""

from typing import Annotated

from pydantic import Field, SecretStr

from src.addresses.urls import check_database_url
from src.settings.values import SettingsGroup, Wait, secret_that


class DatabaseSettings(SettingsGroup):
    """Where the database is, and how long it is waited for."""

    database_url: Annotated[SecretStr, secret_that(check_database_url)] | None = None
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    read_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    database_wait_seconds: Wait = 5.0
    statement_timeout_seconds: Wait = 15.0
