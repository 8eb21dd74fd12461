"""Two users, whose sessions last for as long as a test moves the clock."""

from datetime import timedelta

import pytest

from src.config import Settings
from tests.support import Account, Accounts


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with access tokens for two months."""
    return settings.model_copy(update={"access_token_lifetime": timedelta(days=60)})


@pytest.fixture
async def ann(accounts: Accounts) -> Account:
    """The owner of tokens."""
    return await accounts.sign_in("ann")


@pytest.fixture
async def bob(accounts: Accounts) -> Account:
    """Somebody else."""
    return await accounts.sign_in("bob")
