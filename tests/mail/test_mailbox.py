"""The local mailbox: messages as files that several processes share."""

import os
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from uuid import UUID

import pytest

from src.config import Settings
from src.exceptions import NotFoundError
from src.mail import mailbox as mailbox_module
from src.mail.mailbox import Mailbox
from tests.mail.support import mailer, message, send_confirmation


async def test_without_a_server_mail_lands_in_the_mailbox(
    settings: Settings, mailbox: Mailbox
) -> None:
    await send_confirmation(mailer(settings), locale="ru")
    [mail] = mailbox.messages()
    assert mail.to == "ann@example.com"
    assert mail.sender == "Plaza <no-reply@plaza.example>"
    assert mail.subject == "Подтвердите адрес электронной почты"
    assert mail.date is not None
    assert mail.links == ["https://plaza.example/c"]
    assert mail.text.startswith("Здравствуйте!")
    assert mail.html is not None
    assert "Здравствуйте!" in mail.html
    assert mailbox.get(mail.id) == mail


async def test_an_international_address_is_kept(settings: Settings, mailbox: Mailbox) -> None:
    await send_confirmation(mailer(settings), to="анна@почта.рф")
    assert [mail.to for mail in mailbox.messages()] == ["анна@xn--80a1acny.xn--p1ai"]


def test_an_unused_mailbox_is_empty(mailbox: Mailbox) -> None:
    assert mailbox.messages() == []
    mailbox.clear()


def test_the_newest_come_first_and_the_oldest_go(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(mailbox_module, "KEPT_MESSAGES", 3)
    ids = (UUID(int=number) for number in range(5))
    monkeypatch.setattr(mailbox_module, "uuid7", lambda: next(ids))
    for number in range(5):
        mailbox.add(message(f"Mail {number}"))
    assert [mail.subject for mail in mailbox.messages()] == ["Mail 4", "Mail 3", "Mail 2"]
    assert len(list((settings.data_dir / "mailbox").iterdir())) == 3


def test_only_those_to_an_address(mailbox: Mailbox) -> None:
    mailbox.add(message("For Ann", to="Ann@example.com"))
    mailbox.add(message("For Joann", to="joann@example.com"))
    assert [mail.subject for mail in mailbox.messages(to="ann@EXAMPLE.com")] == ["For Ann"]
    assert mailbox.messages(to="nobody@example.com") == []


def test_an_address_is_found_however_it_is_written(mailbox: Mailbox) -> None:
    mailbox.add(message("Punycode", to="ann@xn--80a1acny.xn--p1ai"))
    mailbox.add(message("Unicode", to="Анна@почта.рф"))
    for to in ("ann@почта.рф", "ANN@ПОЧТА.РФ", "Ann@XN--80A1ACNY.xn--p1ai", " ann@почта.рф "):
        assert [mail.subject for mail in mailbox.messages(to=to)] == ["Punycode"]
    for to in ("анна@xn--80a1acny.xn--p1ai", "АННА@почта.рф"):
        assert [mail.subject for mail in mailbox.messages(to=to)] == ["Unicode"]
    assert mailbox.messages(to="not an address") == []


async def test_a_stored_mail_says_what_every_mail_says(
    settings: Settings, mailbox: Mailbox
) -> None:
    await send_confirmation(mailer(settings), key="1")
    await send_confirmation(mailer(settings), key="1")
    files = sorted((settings.data_dir / "mailbox").glob("*.eml"))
    mails = [BytesParser(policy=default).parsebytes(file.read_bytes()) for file in files]
    for mail in mails:
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Message-ID"].endswith("@plaza.example>")
        assert mail["Date"].datetime
    assert mails[0]["Message-ID"] == mails[1]["Message-ID"]


def test_links_are_those_of_the_text_without_its_punctuation(mailbox: Mailbox) -> None:
    text = "See https://a.example/x?t=1_-. Or <http://b.example>, or https://a.example/x?t=1_-"
    mail = mailbox.get(mailbox.add(message(text=text)))
    assert mail.links == ["https://a.example/x?t=1_-", "http://b.example"]
    assert mail.html is None


@pytest.mark.parametrize(
    "mail_id",
    [
        "",
        "0" * 31,
        "0" * 32,
        "0" * 33,
        "F" * 32,
        "../../../../etc/passwd",
        "0" * 31 + "/",
        "٣" * 32,
    ],
)
def test_an_id_that_is_none_is_not_found(mailbox: Mailbox, mail_id: str) -> None:
    mailbox.add(message())
    with pytest.raises(NotFoundError):
        mailbox.get(mail_id)


def test_it_can_be_emptied(mailbox: Mailbox) -> None:
    mailbox.add(message())
    mailbox.clear()
    assert mailbox.messages() == []


def test_writers_and_readers_do_not_disturb_each_other(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "KEPT_MESSAGES", 5)
    mail = message(text="x" * 10_000)

    def work(number: int) -> bool:
        mailbox.add(mail)
        return all(len(stored.text.strip()) == 10_000 for stored in mailbox.messages())

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(40)))
    assert len(mailbox.messages()) == 5


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_the_owner_may_read_it(mailbox: Mailbox, settings: Settings) -> None:
    mailbox.add(message())
    folder: Path = settings.data_dir / "mailbox"
    assert folder.stat().st_mode & 0o077 == 0
