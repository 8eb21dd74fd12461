"""Two authors, whose tokens last for as long as a test moves the clock."""

from datetime import timedelta

import pytest

from src.config import Settings
from tests.support import Account, Accounts


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with access tokens for a month."""
    return settings.model_copy(update={"access_token_lifetime": timedelta(days=30)})


@pytest.fixture
async def ann(accounts: Accounts) -> Account:
    """An author."""
    return await accounts.sign_in("ann")


@pytest.fixture
async def bob(accounts: Accounts) -> Account:
    """Another one."""
    return await accounts.sign_in("bob")
