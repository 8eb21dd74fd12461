"""A database without an application, and settings for applications without a database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from src.config import Settings
from src.database import Database


@pytest.fixture
def plain_settings(tmp_path: Path) -> Settings:
    """Settings without a database."""
    return Settings(
        _env_file=None,
        environment="test",
        data_dir=tmp_path,
        public_url="http://plaza.test",
        max_body_bytes=2048,
        rate_limit_enabled=False,
    )


@pytest.fixture
async def database(settings: Settings, database_url: str) -> AsyncIterator[Database]:
    """The test's database, open."""
    database = Database.open(database_url, settings)
    yield database
    await database.close()
