"""The mail gateway: renders a mail and delivers it over SMTP, or into the local mailbox."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid, parseaddr
from functools import partial
from urllib.parse import unquote, urlsplit

import aiosmtplib
import idna

from src.config import Settings
from src.mail.mailbox import Mailbox
from src.mail.rendering import DEFAULT_LOCALE, RenderedMail, render

TIMEOUT_SECONDS = 30
STARTTLS = {"": None, "starttls=required": True, "starttls=never": False}

Deliver = Callable[[EmailMessage], Awaitable[object]]


class Mailer:
    """Sends mails from `templates/mail`, as `MAIL_FROM`.

    Without an SMTP URL they land in the local mailbox. With one, `smtp://` uses STARTTLS where the
    server offers it (`?starttls=required` insists, `?starttls=never` does without) and `smtps://`
    is TLS from the first byte; certificates are always checked.
    """

    def __init__(self, settings: Settings) -> None:
        name, address = parseaddr(settings.mail_from)
        self._sender = _address(address, name)
        self._deliver = (
            _over_smtp(settings.smtp_url.get_secret_value(), self._sender.domain)
            if settings.smtp_url
            else _into(Mailbox.of(settings))
        )

    async def send(
        self, *, to: str, template: str, locale: str, context: Mapping[str, object]
    ) -> None:
        """Render a mail and hand it over; once this returns, delivery is the server's task.

        An address whose local part is not ASCII needs a server that offers SMTPUTF8 (RFC 6531).

        Raises:
            ValueError: `to` is not an address.
            jinja2.TemplateError: the template or one of its values is missing.
            aiosmtplib.SMTPException, OSError: the server is unreachable or refused; try later.
        """
        await self._deliver(_compose(render(template, locale, context), self._sender, _address(to)))

    async def rehearse(self, *, template: str, context: Mapping[str, object]) -> None:
        """Do all that `send` does but the delivery, so that as much time passes without a mail."""
        _compose(render(template, DEFAULT_LOCALE, context), self._sender, self._sender).as_bytes()


def _compose(mail: RenderedMail, sender: Address, to: Address) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = mail.subject
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    # Quoted-printable stays ASCII, so no relay has a reason to rewrite the body.
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = mail.locale  # set earlier, it would move into the first part
    return message


def _address(spec: str, name: str = "") -> Address:
    """One address, its domain in ASCII as SMTP wants it. `Address` refuses line breaks."""
    local_part, at, domain = spec.rpartition("@")
    if not (local_part and at and domain):
        raise ValueError("not an e-mail address")
    if not domain.isascii():
        domain = idna.encode(domain, uts46=True).decode()
    return Address(name, local_part, domain)


def _into(mailbox: Mailbox) -> Deliver:
    async def deliver(message: EmailMessage) -> None:
        await asyncio.to_thread(mailbox.add, message)

    return deliver


def _over_smtp(url: str, local_hostname: str) -> Deliver:
    parts = urlsplit(url)
    return partial(
        aiosmtplib.send,
        hostname=parts.hostname,
        port=parts.port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        use_tls=parts.scheme == "smtps",
        tls_context=ssl.create_default_context(),  # once: to read the certificates takes a while
        start_tls=STARTTLS[parts.query] if parts.scheme == "smtp" else None,
        local_hostname=local_hostname,
        timeout=TIMEOUT_SECONDS,
    )
