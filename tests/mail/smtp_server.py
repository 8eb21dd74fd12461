"""A real SMTP server in the test's own event loop, and a certificate for it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


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


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for `localhost`: its file, and the server's TLS context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return certificate_file, context
