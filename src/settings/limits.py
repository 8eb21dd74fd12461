"""How many requests are answered."""

from typing import Annotated

from pydantic import SecretStr

from src.addresses.urls import check_redis_url
from src.settings.values import RateLimit, SettingsGroup, secret_that


class LimitSettings(SettingsGroup):
    """How many requests are answered."""

    rate_limit_enabled: bool = True
    rate_limit: RateLimit = "1200/minute"
    rate_limit_mails: RateLimit = "300/hour"
    rate_limit_usernames: RateLimit = "120/minute"
    redis_url: Annotated[SecretStr, secret_that(check_redis_url)] | None = None
