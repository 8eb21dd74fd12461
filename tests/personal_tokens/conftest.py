"""Two users, whose sessions last for as long as a test moves the clock."""

from datetime import timedelta

import pytest

from src.config import Settings
from tests.support import Account, Accounts


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


@pytest.fixture
async def ann(accounts: Accounts) -> Account:
    """The owner of tokens."""
    return await accounts.sign_in("ann")


@pytest.fixture
async def bob(accounts: Accounts) -> Account:
    """Somebody else."""
    return await accounts.sign_in("bob")
