"""Delivery over SMTP, spoken with a real server."""

import socket
import ssl
import traceback
from pathlib import Path

import pytest

from src.config import Settings
from src.locales import LOCALES
from src.mail.gateway import MailNotSentError, MailRefusedError
from tests.certificates import self_signed
from tests.mail.smtp_server import password_check, smtp_server
from tests.mail.support import mailer, send_confirmation


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS context whose certificate the client trusts."""
    certificate, context = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return context


async def test_a_mail_reaches_the_server_whole(settings: Settings) -> None:
    async with smtp_server() as server:
        await send_confirmation(mailer(settings, f"smtp://127.0.0.1:{server.port}"))
    [delivery] = server.deliveries
    assert delivery.sender == "no-reply@plaza.example"
    assert delivery.recipients == ["ann@example.com"]
    assert delivery.client == "plaza.example"
    message = delivery.message
    assert message["From"] == "Plaza <no-reply@plaza.example>"
    assert message["To"] == "ann@example.com"
    assert message["Subject"] == "Confirm your e-mail address"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    assert message["Message-ID"].endswith("@plaza.example>")
    assert message["Date"].datetime.utcoffset().total_seconds() == 0
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    for part in message.iter_parts():
        assert "https://plaza.example/c" in part.get_content()


async def test_a_mail_keeps_its_message_id_and_no_other_has_it(settings: Settings) -> None:
    async with smtp_server() as server:
        sender = mailer(settings, f"smtp://127.0.0.1:{server.port}")
        await send_confirmation(sender, key="1")
        await send_confirmation(sender, key="2")
        await send_confirmation(sender, key="2", to="bob@example.com")
        await send_confirmation(sender, key="1")
    ids = [delivery.message["Message-ID"] for delivery in server.deliveries]
    assert len(set(ids[:3])) == 3
    assert ids[3] == ids[0]


@pytest.mark.parametrize("locale", LOCALES)
async def test_no_line_is_longer_than_its_encoding_allows(settings: Settings, locale: str) -> None:
    """RFC 2045, 6.7: 76 characters; RFC 5322, 2.1.1: 78 of a header."""
    sender = f'"{"Плаза, " * 20}" <no-reply@plaza.example>'
    settings = settings.model_copy(update={"mail_from": sender})
    link = f"https://plaza.example/c?{'x=y.' * 200}"
    async with smtp_server() as server:
        url = f"smtp://127.0.0.1:{server.port}"
        await send_confirmation(mailer(settings, url), locale=locale, link=link)
    [delivery] = server.deliveries
    head, _, body = delivery.raw.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert max(map(len, body.split(b"\r\n"))) <= 76
    for part in delivery.message.iter_parts():
        assert link in part.get_content()


async def test_a_line_that_begins_with_a_dot_arrives(settings: Settings) -> None:
    async with smtp_server() as server:
        url = f"smtp://127.0.0.1:{server.port}"
        # Broken into lines, some of them begin with a dot.
        link = f"https://plaza.example/{'.' * 500}"
        await send_confirmation(mailer(settings, url), link=link)
    [delivery] = server.deliveries
    assert b"\r\n." in delivery.raw
    for part in delivery.message.iter_parts():
        assert link in part.get_content()


async def test_a_russian_mail_is_ascii_on_the_wire(settings: Settings) -> None:
    async with smtp_server() as server:
        sender = mailer(settings, f"smtp://127.0.0.1:{server.port}")
        await send_confirmation(sender, locale="ru")
    [delivery] = server.deliveries
    assert delivery.raw.isascii()
    assert delivery.message["Subject"] == "Подтвердите адрес электронной почты"
    assert delivery.message["Content-Language"] == "ru"
    body = delivery.message.get_body(("plain",))
    assert body is not None
    assert "Здравствуйте!" in body.get_content()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
class TestAuthentication:
    """AUTH, with characters that a URL must escape."""

    async def test_the_right_password_is_let_in(self, settings: Settings) -> None:
        check = password_check("plaza@example.com", "p@ss:w/rd")
        async with smtp_server(
            authenticator=check, auth_required=True, auth_require_tls=False
        ) as server:
            url = (
                f"smtp://plaza%40example.com:p%40ss%3Aw%2Frd@127.0.0.1:{server.port}?starttls=never"
            )
            await send_confirmation(mailer(settings, url))
        assert len(server.deliveries) == 1

    async def test_a_wrong_password_is_an_error(self, settings: Settings) -> None:
        check = password_check("plaza", "right")
        async with smtp_server(
            authenticator=check, auth_required=True, auth_require_tls=False
        ) as server:
            url = f"smtp://plaza:wrong@127.0.0.1:{server.port}?starttls=never"
            sender = mailer(settings, url)
            with pytest.raises(MailNotSentError, match=r"^SMTPAuthenticationError 535$"):
                await send_confirmation(sender)
        assert server.deliveries == []

    async def test_no_password_goes_out_in_clear_unless_asked_to(self, settings: Settings) -> None:
        tried: list[object] = []
        async with smtp_server(
            authenticator=lambda *attempt: tried.append(attempt), auth_require_tls=False
        ) as server:
            sender = mailer(settings, f"smtp://plaza:secret@127.0.0.1:{server.port}")
            with pytest.raises(MailNotSentError, match="STARTTLS"):
                await send_confirmation(sender)
        assert (tried, server.deliveries) == ([], [])


class TestEncryption:
    """STARTTLS and TLS, with certificates checked."""

    async def test_starttls_is_used_where_offered(
        self, settings: Settings, tls: ssl.SSLContext
    ) -> None:
        async with smtp_server(tls_context=tls) as server:
            await send_confirmation(mailer(settings, f"smtp://localhost:{server.port}"))
        assert [delivery.encrypted for delivery in server.deliveries] == [True]

    async def test_starttls_can_be_switched_off(
        self, settings: Settings, tls: ssl.SSLContext
    ) -> None:
        async with smtp_server(tls_context=tls) as server:
            url = f"smtp://localhost:{server.port}?starttls=never"
            await send_confirmation(mailer(settings, url))
        assert [delivery.encrypted for delivery in server.deliveries] == [False]

    async def test_required_starttls_is_not_done_without(self, settings: Settings) -> None:
        async with smtp_server() as server:
            sender = mailer(settings, f"smtp://localhost:{server.port}?starttls=required")
            with pytest.raises(MailNotSentError, match="STARTTLS"):
                await send_confirmation(sender)
        assert server.deliveries == []

    async def test_a_certificate_nobody_vouches_for_is_refused(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        _, context = self_signed(tmp_path)
        async with smtp_server(tls_context=context) as server:
            sender = mailer(settings, f"smtp://localhost:{server.port}")
            with pytest.raises(MailNotSentError, match="certificate"):
                await send_confirmation(sender)
        assert server.deliveries == []

    async def test_smtps_is_encrypted_from_the_first_byte(
        self, settings: Settings, tls: ssl.SSLContext
    ) -> None:
        async with smtp_server(implicit_tls=tls) as server:
            await send_confirmation(mailer(settings, f"smtps://localhost:{server.port}"))
        assert len(server.deliveries) == 1


class TestFailures:
    """Whatever goes wrong is raised, so that the job is tried again."""

    async def test_no_server(self, settings: Settings) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        with pytest.raises(MailNotSentError, match="SMTPConnectError"):
            await send_confirmation(mailer(settings, f"smtp://127.0.0.1:{port}"))

    @pytest.mark.parametrize("when", ["refuse_recipients_with", "refuse_data_with"])
    @pytest.mark.parametrize(
        ("answer", "permanent"),
        [
            ("550 no such user ann@example.com", True),
            ("550 5.1.1 <ann@example.com>: Recipient address rejected", True),
            ("551 user not local", True),
            ("553 mailbox name not allowed", True),
            ("556 5.1.10 the domain takes no mail", True),
            ("550 5.2.1 mailbox disabled", True),
            ("552 5.2.2 mailbox full", True),
            ("550 5.6.7 non-ASCII addresses not permitted", True),
            ("450 mailbox busy", False),
            ("451 try again later", False),
            ("421 closing", False),
            ("530 authentication required", False),
            ("535 wrong password", False),
            ("552 too much storage", False),
            ("554 transaction failed", False),
            ("550 relay not permitted", False),
            ("554 5.7.1 <ann@example.com>: Relay access denied", False),
            ("550 5.7.1 blocked by a list", False),
            ("550 5.1.8 bad sender", False),
        ],
    )
    async def test_only_a_refused_address_is_for_good(
        self, settings: Settings, when: str, answer: str, *, permanent: bool
    ) -> None:
        async with smtp_server() as server:
            setattr(server, when, answer)
            sender = mailer(settings, f"smtp://127.0.0.1:{server.port}")
            with pytest.raises(MailNotSentError, match=f" {answer[:3]}$") as failed:
                await send_confirmation(sender)
        assert isinstance(failed.value, MailRefusedError) == permanent
        shown = "".join(traceback.format_exception(failed.value))
        assert "ann@" not in shown
        assert server.deliveries == []

    @pytest.mark.parametrize("answer", ["550 not you", "553 5.1.8 bad sender", "530 sign in"])
    async def test_a_refused_sender_is_not_the_recipients_fault(
        self, settings: Settings, answer: str
    ) -> None:
        async with smtp_server(refuse_sender=answer) as server:
            sender = mailer(settings, f"smtp://127.0.0.1:{server.port}")
            with pytest.raises(MailNotSentError) as failed:
                await send_confirmation(sender)
        assert not isinstance(failed.value, MailRefusedError)


class TestInternationalAddresses:
    """Domains and local parts outside ASCII."""

    async def test_a_domain_travels_in_punycode(self, settings: Settings) -> None:
        async with smtp_server() as server:
            sender = mailer(settings, f"smtp://127.0.0.1:{server.port}")
            await send_confirmation(sender, to="ann@почта.рф")
        [delivery] = server.deliveries
        assert delivery.recipients == ["ann@xn--80a1acny.xn--p1ai"]

    async def test_a_local_part_uses_smtputf8(self, settings: Settings) -> None:
        async with smtp_server(enable_SMTPUTF8=True) as server:
            sender = mailer(settings, f"smtp://127.0.0.1:{server.port}")
            await send_confirmation(sender, to="анна@почта.рф")
        [delivery] = server.deliveries
        assert delivery.recipients == ["анна@xn--80a1acny.xn--p1ai"]
        assert "SMTPUTF8" in delivery.options
        assert delivery.message["To"] == "анна@xn--80a1acny.xn--p1ai"

    async def test_a_local_part_fails_where_smtputf8_is_not_offered(
        self, settings: Settings
    ) -> None:
        async with smtp_server() as server:
            sender = mailer(settings, f"smtp://127.0.0.1:{server.port}")
            with pytest.raises(MailRefusedError, match="SMTPUTF8"):
                await send_confirmation(sender, to="анна@example.com")


@pytest.mark.parametrize(
    "to",
    [
        "ann@example.com\r\nBcc: eve@example.com",
        "ann\r\nRCPT TO:<eve@example.com>@example.com",
        "ann@example.com>\nDATA",
        "=?utf-8?q?=0d=0aBcc=3aeve?=@example.com",
        "no-address",
        "@example.com",
        "ann@",
        "",
    ],
)
async def test_an_address_cannot_carry_headers_or_commands(settings: Settings, to: str) -> None:
    async with smtp_server() as server:
        with pytest.raises(ValueError, match="address"):
            await send_confirmation(mailer(settings, f"smtp://127.0.0.1:{server.port}"), to=to)
    assert server.deliveries == []


async def test_two_addresses_in_one_are_one_recipient(settings: Settings) -> None:
    async with smtp_server() as server:
        sender = mailer(settings, f"smtp://127.0.0.1:{server.port}")
        await send_confirmation(sender, to="eve@example.com, ann@example.com")
    [delivery] = server.deliveries
    assert delivery.recipients == ['"eve@example.com, ann"@example.com']
