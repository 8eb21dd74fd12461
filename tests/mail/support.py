"""Short ways to send and store mail."""

from email.message import EmailMessage

from pydantic import SecretStr

from src.config import Settings
from src.mail.gateway import Mailer

# What each mail is filled with.
VALUES: dict[str, dict[str, object]] = {
    "address_in_use": {"display_name": "Ann", "sign_in_url": "https://plaza.example/s"},
    "already_confirmed": {"display_name": "Ann", "sign_in_url": "https://plaza.example/s"},
    "already_registered": {"display_name": "Ann", "sign_in_url": "https://plaza.example/s"},
    "change_email": {"link": "https://plaza.example/c", "expires_hours": 24},
    "confirm_email": {"link": "https://plaza.example/c", "expires_hours": 24},
    "register_again": {"home_url": "https://plaza.example/"},
    "reset_password": {"link": "https://plaza.example/r", "expires_hours": 1},
    "security_notice": {
        "event": "password.changed",
        "display_name": "Ann",
        "at": "2026-03-01 12:00 UTC",
        "address": "192.0.2.7",
        "device": "Firefox on Linux",
        "reset_url": "https://plaza.example/forgot-password",
    },
}


def mailer(settings: Settings, smtp_url: str | None = None) -> Mailer:
    """A mailer that delivers to `smtp_url`, or into the mailbox."""
    url = SecretStr(smtp_url) if smtp_url else None
    return Mailer(settings.model_copy(update={"smtp_url": url}))


async def send_confirmation(
    mailer: Mailer,
    to: str = "ann@example.com",
    locale: str = "en",
    key: str = "1",
    link: str = "https://plaza.example/c",
) -> None:
    """Send the mail that confirms a registration."""
    context = {"link": link, "expires_hours": 24}
    await mailer.send(to=to, template="confirm_email", locale=locale, context=context, key=key)


def message(subject: str = "Hello", text: str = "Hi", to: str = "ann@example.com") -> EmailMessage:
    """A small text message."""
    mail = EmailMessage()
    mail["To"] = to
    mail["From"] = "no-reply@plaza.example"
    mail["Subject"] = subject
    mail.set_content(text)
    return mail
