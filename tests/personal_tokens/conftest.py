"""Two users, whose sessions last for as long as a test moves the clock."""

from datetime import timedelta

import pytest

from src.config import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with sessions for two months, and time for many requests on a busy machine."""
    two_months = timedelta(days=60)
    return settings.model_copy(
        update={
            "access_token_lifetime": two_months,
            "session_idle_lifetime": two_months,
            "database_wait_seconds": 60,
        }
    )
