"""MAIL_FROM: what comes from it is what was written."""

import pytest
from pydantic import ValidationError

from src.config import Settings
from tests.mail.smtp_server import smtp_server
from tests.mail.support import mailer, send_confirmation


@pytest.mark.parametrize(
    "sender",
    [
        "Plaza",
        "ann@",
        "@b.example",
        "Plaza <>",
        "P@z <no-reply@example.com>",
        "Plaza, Inc. <no-reply@example.com>",
        "P:z <no-reply@example.com>",
        'Pl"aza <no-reply@example.com>',
        "Plaza (the square) <no-reply@example.com>",
        "no-reply@example.com, other@example.com",
        "Plaza <no-reply@example.com>, ",
        "Plaza: no-reply@example.com;",
        "Plaza <no-reply@example.com> and more",
        "Plaza <@relay.example:no-reply@example.com>",
        "Plaza <no reply@example.com>",
        "Plaza <no..reply@example.com>",
        "Plaza <no-reply@example..com>",
        "Plaza <no-reply@-example.com>",
        "Plaza <ответ@example.com>",
        "=?utf-8?b?0J8=?= <no-reply@example.com>",
        "Plaza\r\nBcc: eve@example.com <no-reply@example.com>",
    ],
)
def test_what_would_not_come_out_as_written_stops_the_start(sender: str) -> None:
    with pytest.raises(ValidationError, match=r"mail_from\n.*must look like Plaza <no-reply@"):
        Settings(_env_file=None, mail_from=sender)


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ("no-reply@example.com", "", "no-reply@example.com"),
        ("<no-reply@example.com>", "", "no-reply@example.com"),
        ("Plaza <no-reply@localhost>", "Plaza", "no-reply@localhost"),
        ("Plaza Inc. <no-reply@example.com>", "Plaza Inc.", "no-reply@example.com"),
        ('"P@z, \\"Inc\\"" <no-reply@example.com>', 'P@z, "Inc"', "no-reply@example.com"),
        ("Плаза <no-reply@почта.рф>", "Плаза", "no-reply@xn--80a1acny.xn--p1ai"),
    ],
)
async def test_mail_comes_from_the_one_that_is_set(
    settings: Settings, sender: str, name: str, address: str
) -> None:
    settings = settings.model_copy(
        update={"mail_from": Settings(_env_file=None, mail_from=sender).mail_from}
    )
    async with smtp_server() as server:
        await send_confirmation(mailer(settings, f"smtp://127.0.0.1:{server.port}"))
    [delivery] = server.deliveries
    assert delivery.sender == address
    [author] = delivery.message["From"].addresses
    assert (author.display_name, author.addr_spec) == (name, address)
    assert delivery.message["Message-ID"].endswith(f"@{address.rpartition('@')[2]}>")
