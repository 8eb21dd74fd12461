"""Mail addresses as messages and SMTP write them; src.users says which ones accounts may have."""

import re
import unicodedata
from contextlib import suppress
from email.headerregistry import Address
from email.policy import default
from typing import cast

import idna

_DOMAIN = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_NOTATION = re.compile(r'[\s"\\<>]')


def parse_mailbox(text: str) -> Address:
    """One mailbox with or without a name (RFC 5322, section 3.4), such as `Plaza <a@example.com>`.

    Readers of addresses make the best of what is malformed, and then mail comes from somebody else:
    what does not come out as it was written is refused.

    Raises:
        ValueError: it is not one mailbox, or its part before the @ is not ASCII.
    """
    try:
        header = default.header_factory("From", text)
        defects = {type(defect).__name__ for defect in header.defects}
        [address] = cast("tuple[Address, ...]", header.addresses)
        written = _NOTATION.sub("", str(address)) == _NOTATION.sub("", text)
        # A dot in a name is obsolete, and nothing else.
        if written and defects <= {"ObsoleteHeaderDefect"} and address.username.isascii():
            return Address(address.display_name, address.username, ascii_domain(address.domain))
    except (ValueError, IndexError):  # the parser of the library fails on some texts
        pass
    raise ValueError(
        "must look like Plaza <no-reply@example.com>: one address, "
        'and a name with special characters in quotes, as in "Plaza, Inc." <no-reply@example.com>'
    )


def ascii_domain(domain: str) -> str:
    """A domain as DNS and SMTP write it: IDNA 2008.

    Raises:
        ValueError: it is none.
    """
    if not domain.isascii():
        domain = idna.encode(domain, uts46=True).decode()
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("not the domain of an e-mail address")
    return domain


def comparable(address: str) -> str:
    """The address in a form that is the same for every way to write it."""
    local_part, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    with suppress(ValueError):  # not an address then, and equal to itself only
        domain = ascii_domain(domain)
    return f"{local_part}{at}{domain}".casefold()
