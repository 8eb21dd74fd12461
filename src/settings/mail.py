"""How mail is sent."""

from pydantic import SecretStr, field_validator

from src.addresses.mail_addresses import parse_mailbox
from src.addresses.urls import check_smtp_url
from src.settings.values import SettingsGroup


class MailSettings(SettingsGroup):
    """How mail is sent."""

    smtp_url: SecretStr | None = None
    mail_from: str = "Plaza <no-reply@localhost>"
    smtputf8: bool = True

    @field_validator("smtp_url")
    @classmethod
    def _readable_smtp_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            check_smtp_url(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _address(cls, value: str) -> str:
        parse_mailbox(value)
        return value
