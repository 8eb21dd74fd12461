"""Settings that keep everything in the test's own folder, and their mailbox."""

from pathlib import Path

import pytest

from src.config import Settings
from src.mail.mailbox import Mailbox


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings without an SMTP server."""
    return Settings(
        _env_file=None,
        environment="test",
        data_dir=tmp_path,
        smtp_url=None,
        mail_from="Plaza <no-reply@plaza.example>",
    )


@pytest.fixture
def mailbox(settings: Settings) -> Mailbox:
    """The mailbox of those settings."""
    return Mailbox.of(settings)
