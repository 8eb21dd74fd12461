"""The mail gateway: renders a mail and delivers it over SMTP, or into the local mailbox."""

import asyncio
import hashlib
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from functools import partial
from urllib.parse import unquote, urlsplit

import aiosmtplib

from src.addresses.mail_addresses import ascii_domain, parse_mailbox
from src.addresses.urls import STARTTLS
from src.config import Settings
from src.http.branding import Brand
from src.locales import DEFAULT_LOCALE
from src.mail.mailbox import Mailbox
from src.mail.rendering import RenderedMail, render

TIMEOUT_SECONDS = 30
# RFC 2045 allows lines of 76 characters where the library's own policy has 78.
POLICY = default.clone(max_line_length=76)
# Mailbox unavailable, moved, of a form that is not allowed; a domain that takes no mail.
REFUSED_RECIPIENT = {550, 551, 553, 556}
_ENHANCED_CODE = re.compile(r"\b5\.([0-9]{1,3}\.[0-9]{1,3})\b")  # RFC 3463
# Of the addressed mailbox and its state, and an address that has to be ASCII: 5.1.7 and 5.1.8 are
# about the sender, 5.2.3 is about the message, and 5.3 to 5.7 about servers and policies.
_OF_THE_ADDRESS = re.compile(r"1\.([0-6]|9|10)|2\.[0-2]|6\.7")

Deliver = Callable[[EmailMessage], Awaitable[object]]


class MailNotSentError(Exception):
    """The server is away or refuses us: try later. The text names no address."""


class MailRefusedError(MailNotSentError):
    """The address takes no mail: there is no use in trying again."""


class Mailer:
    """Sends mails from `templates/mail`, as `MAIL_FROM`.

    Without an SMTP URL they land in the local mailbox. With one, `smtps://` is TLS from the first
    byte, and `smtp://` uses STARTTLS: where the server offers it, always if there is a password to
    protect or it says `?starttls=required`, never with `?starttls=never`. Certificates are checked.
    """

    def __init__(self, settings: Settings) -> None:
        self._sender = parse_mailbox(settings.mail_from)
        self._brand = Brand.of(settings)
        self._smtputf8 = settings.smtputf8
        self._deliver = (
            _over_smtp(settings.smtp_url.get_secret_value(), self._sender.domain)
            if settings.smtp_url
            else _into(Mailbox.of(settings))
        )

    async def send(
        self, *, to: str, template: str, locale: str, context: Mapping[str, object], key: str
    ) -> None:
        """Render a mail and hand it over; once this returns, delivery is the server's task.

        An address whose local part is not ASCII needs a server that offers SMTPUTF8 (RFC 6531).
        The `key` is the same whenever this mail is sent again, and so is its Message-ID, by which
        mail servers know it.

        Raises:
            ValueError: `to` is not an address.
            jinja2.TemplateError: the template or one of its values is missing.
            MailRefusedError: the address takes no mail.
            MailNotSentError: the server is unreachable or refused; try later.
        """
        recipient = _recipient(to)
        message = _compose(render(template, locale, context, self._brand), self._sender, recipient)
        if not self._smtputf8 and not recipient.username.isascii():
            raise MailRefusedError("SMTPUTF8=false")
        digest = hashlib.sha256(f"{key} {template} {to}".encode()).hexdigest()
        message["Message-ID"] = f"<{digest[:32]}@{self._sender.domain}>"
        try:
            await self._deliver(message)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            kind = MailRefusedError if _is_of_the_address(error) else MailNotSentError
            raise kind(_described(error)) from None

    async def rehearse(self, *, template: str, context: Mapping[str, object]) -> None:
        """Do all that `send` does but the delivery, so that as much time passes without a mail."""
        mail = render(template, DEFAULT_LOCALE, context, self._brand)
        _compose(mail, self._sender, self._sender).as_bytes()


def _compose(mail: RenderedMail, sender: Address, to: Address) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = mail.subject
    message["Date"] = datetime.now(UTC)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    # Quoted-printable stays ASCII, so no relay has a reason to rewrite the body.
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = mail.locale  # set earlier, it would move into the first part
    return message


def _recipient(address: str) -> Address:
    """`Address` refuses line breaks, but not those of encoded words: headers of their own."""
    local_part, at, domain = address.rpartition("@")
    if not (local_part and at) or "=?" in local_part:
        raise ValueError("not an e-mail address")
    return Address("", local_part, ascii_domain(domain))


def _refusal(error: Exception) -> aiosmtplib.SMTPResponseException | None:
    """What the server said about the recipient or the message, if that was it."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0]
    return error if isinstance(error, aiosmtplib.SMTPDataError) else None


def _is_of_the_address(error: Exception) -> bool:
    """Whether the address takes no mail, or none that this server can send.

    Everything else may be put right without the address: a password, a sender that is not allowed,
    a relay that is not open for us, a filter, a full disk.
    """
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return "SMTPUTF8" in error.message
    refusal = _refusal(error)
    if refusal is None or refusal.code < 500:  # noqa: PLR2004 - 4 is for now, 5 for good
        return False
    enhanced = _ENHANCED_CODE.search(refusal.message)
    if enhanced:
        return bool(_OF_THE_ADDRESS.fullmatch(enhanced[1]))
    return refusal.code in REFUSED_RECIPIENT and "relay" not in refusal.message.lower()


def _described(error: Exception) -> str:
    """What went wrong; an answer of the server may repeat the address, and is left out."""
    answer = _refusal(error) or error
    if isinstance(answer, aiosmtplib.SMTPResponseException):
        return f"{type(answer).__name__} {answer.code}"
    text = f": {error}" if isinstance(error, (aiosmtplib.SMTPException, OSError)) else ""
    return f"{type(error).__name__}{text}"


def _into(mailbox: Mailbox) -> Deliver:
    async def deliver(message: EmailMessage) -> None:
        await asyncio.to_thread(mailbox.add, message)

    return deliver


def _over_smtp(url: str, local_hostname: str) -> Deliver:
    parts = urlsplit(url)
    start_tls = True if parts.username and not parts.query else STARTTLS[parts.query]
    return partial(
        aiosmtplib.send,
        hostname=parts.hostname,
        port=parts.port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        use_tls=parts.scheme == "smtps",
        tls_context=ssl.create_default_context(),  # once: to read the certificates takes a while
        start_tls=start_tls if parts.scheme == "smtp" else None,
        local_hostname=local_hostname,
        timeout=TIMEOUT_SECONDS,
    )
