"""How mail is sent."""

from typing import Annotated

from pydantic import SecretStr, field_validator

from src.addresses.mail_addresses import parse_mailbox
from src.addresses.urls import check_smtp_url
from src.settings.values import SettingsGroup, secret_that


class MailSettings(SettingsGroup):
    """How mail is sent."""

    smtp_url: Annotated[SecretStr, secret_that(check_smtp_url)] | None = None
    mail_from: str = "Plaza <no-reply@localhost>"
    smtputf8: bool = True

    @field_validator("mail_from")
    @classmethod
    def _address(cls, value: str) -> str:
        parse_mailbox(value)
        return value
