"""Two authors, whose tokens last for as long as a test moves the clock."""

from datetime import timedelta

import pytest

from src.config import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with access tokens for a month."""
    return settings.model_copy(update={"access_token_lifetime": timedelta(days=30)})
