"""An administrator, and a receiver that the settings allow."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from src.config import Settings
from tests.support import Account, Accounts
from tests.webhooks.support import Receiver, receiving


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Webhooks may reach this machine by 127.0.0.1."""
    allowed = [ip_network("127.0.0.1/32")]
    return settings.model_copy(update={"webhook_allowed_networks": allowed})


@pytest.fixture
async def admin(accounts: Accounts) -> Account:
    """Somebody who manages webhooks."""
    await accounts.add("admin", roles=("admin",))
    return await accounts.sign_in("admin")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on 127.0.0.1."""
    async with receiving() as receiver:
        yield receiver
