"""An administrator and a user."""

import pytest

from tests.support import Account, Accounts


@pytest.fixture
async def admin(accounts: Accounts) -> Account:
    """The only administrator."""
    await accounts.add("admin", roles=("admin",))
    return await accounts.sign_in("admin")


@pytest.fixture
async def ann(accounts: Accounts) -> Account:
    """A user without roles."""
    await accounts.add("ann")
    return await accounts.sign_in("ann")
