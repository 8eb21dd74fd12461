"""The local mailbox: where mail lands when no SMTP server is set, one `.eml` file a message."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from pydantic import BaseModel, Field

from src.addresses.mail_addresses import comparable
from src.config import Settings
from src.exceptions import NotFoundError
from src.ids import uuid7

KEPT_MESSAGES = 500
READABLE = default.clone(utf8=True)  # headers as they read, not as encoded words
_ID = re.compile(r"[0-9a-f]{32}")
_LINK = re.compile(r"https?://[^\s<>\"']+")


class StoredMail(BaseModel):
    """A message as the mailbox shows it; `links` are those of its text."""

    id: str
    to: str
    sender: str = Field(serialization_alias="from")
    subject: str
    date: datetime | None
    text: str
    html: str | None
    links: list[str]


class Mailbox:
    """A folder of messages, shared by every process of this machine; it keeps the newest 500.

    Its methods read and write files: call them in a thread.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def of(cls, settings: Settings) -> "Mailbox":
        """The mailbox under `DATA_DIR`."""
        return cls(settings.data_dir / "mailbox")

    def add(self, message: EmailMessage) -> str:
        """Store a message whole or not at all, and return its id."""
        mail_id = uuid7().hex
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._directory / f"{mail_id}.draft"
        draft.write_bytes(message.as_bytes(policy=READABLE))
        draft.rename(self._path(mail_id))
        for old in self._newest_ids()[KEPT_MESSAGES:]:
            self._path(old).unlink(missing_ok=True)
        return mail_id

    def messages(self, to: str | None = None) -> list[StoredMail]:
        """Every message, the newest first; with `to`, those sent to that address."""
        wanted = comparable(to) if to else None
        return [
            mail for mail in self._read_all() if wanted is None or comparable(mail.to) == wanted
        ]

    def get(self, mail_id: str) -> StoredMail:
        """One message.

        Raises:
            NotFoundError: there is none, or this is not the form of an id.
        """
        if not _ID.fullmatch(mail_id):
            raise NotFoundError
        try:
            return self._read(mail_id)
        except FileNotFoundError:
            raise NotFoundError from None

    def clear(self) -> None:
        """Delete every message."""
        for mail_id in self._newest_ids():
            self._path(mail_id).unlink(missing_ok=True)

    def _path(self, mail_id: str) -> Path:
        return self._directory / f"{mail_id}.eml"

    def _newest_ids(self) -> list[str]:
        return sorted((path.stem for path in self._directory.glob("*.eml")), reverse=True)

    def _read_all(self) -> Iterator[StoredMail]:
        for mail_id in self._newest_ids():
            with suppress(FileNotFoundError):  # another process may delete it meanwhile
                yield self._read(mail_id)

    def _read(self, mail_id: str) -> StoredMail:
        message = BytesParser(policy=default).parsebytes(self._path(mail_id).read_bytes())
        text = _body(message, "plain") or ""
        links = (link.rstrip(".,;:!?)") for link in _LINK.findall(text))
        return StoredMail(
            id=mail_id,
            to=str(message["To"]),
            sender=str(message["From"]),
            subject=str(message["Subject"]),
            date=message["Date"].datetime if message["Date"] else None,
            text=text,
            html=_body(message, "html"),
            links=list(dict.fromkeys(links)),
        )


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else None
