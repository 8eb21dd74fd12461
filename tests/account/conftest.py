"""Two users who have signed in."""

import pytest

from tests.support import Account, Accounts


@pytest.fixture
async def ann(accounts: Accounts) -> Account:
    """Whose data and account it is."""
    return await accounts.sign_in("ann")


@pytest.fixture
async def bob(accounts: Accounts) -> Account:
    """Somebody else."""
    return await accounts.sign_in("bob")
