"""How many requests are answered."""

from pydantic import SecretStr, field_validator

from src.addresses.urls import check_redis_url
from src.settings.values import RateLimit, SettingsGroup


class LimitSettings(SettingsGroup):
    """How many requests are answered."""

    rate_limit_enabled: bool = True
    rate_limit: RateLimit = "1200/minute"
    rate_limit_mails: RateLimit = "300/hour"
    rate_limit_usernames: RateLimit = "120/minute"
    redis_url: SecretStr | None = None

    @field_validator("redis_url")
    @classmethod
    def _readable_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            check_redis_url(value.get_secret_value())
        return value
