"""An administrator and a user."""

import pytest

from tests.support import Account, Accounts


@pytest.fixture
async def admin(accounts: Accounts) -> Account:
    """The only administrator."""
    await accounts.add("admin", roles=("admin",))
    return await accounts.sign_in("admin")
