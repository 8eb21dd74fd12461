"""A real SMTP server in the test's own event loop."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the server got it."""

    client: str
    encrypted: bool
    sender: str
    recipients: list[str]
    options: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The message, parsed."""
        return BytesParser(policy=default).parsebytes(self.raw)


@dataclass(slots=True)
class Server:
    """The running server: where it listens and what it got."""

    port: int = 0
    refuse_recipients_with: str | None = None
    refuse_senders_with: str | None = None
    refuse_data_with: str | None = None
    forget_to_answer: bool = False
    deliveries: list[Delivery] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept or refuse a sender."""
        if self.refuse_senders_with:
            return self.refuse_senders_with
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept or refuse a recipient."""
        if self.refuse_recipients_with:
            return self.refuse_recipients_with
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep a message, or refuse it."""
        if self.refuse_data_with:
            return self.refuse_data_with
        assert isinstance(envelope.content, bytes)
        self.deliveries.append(
            Delivery(
                client=session.host_name or "",
                encrypted=session.ssl is not None,
                sender=envelope.mail_from or "",
                recipients=envelope.rcpt_tos,
                options=envelope.mail_options,
                raw=envelope.content,
            )
        )
        return "451 I have forgotten" if self.forget_to_answer else "250 OK"


@asynccontextmanager
async def smtp_server(
    *,
    implicit_tls: ssl.SSLContext | None = None,
    refuse: str | None = None,
    refuse_sender: str | None = None,
    **options: Any,
) -> AsyncIterator[Server]:
    """Serve SMTP on a free port; `options` are those of aiosmtpd's `SMTP`."""
    loop = asyncio.get_running_loop()
    handler = Server(refuse_recipients_with=refuse, refuse_senders_with=refuse_sender)
    listener = await loop.create_server(
        lambda: SMTP(handler, hostname="mx.test", loop=loop, **options),
        "127.0.0.1",
        0,
        ssl=implicit_tls,
    )
    handler.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield handler


def password_check(username: str, password: str) -> Callable[..., AuthResult]:
    """An authenticator that knows one account."""

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        known = data.login == username.encode() and data.password == password.encode()
        return AuthResult(success=known, handled=False)

    return authenticate
