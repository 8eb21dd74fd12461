"""Cookies for browsers: a device that has signed in before, and the refresh token of /auth/web.

Scripts cannot read them, other sites cannot have them sent, and on https no other host of the
domain can set them: `__Host-` (RFC 6265bis, section 4.1.3.2). Browsers keep that promise for the
name as they store it, byte for byte, so only that name is ours: what merely reads like it, stripped
or decoded, may come from any host of the domain.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import unquote_to_bytes, urlsplit

from fastapi import Request, Security
from fastapi.openapi.models import APIKey

from src.auth.exceptions import DuplicateCookieError
from src.config import Settings
from src.openapi.security import Scheme

# What is neither of a token (RFC 9110, section 5.6.2) nor "=": spaces, controls, quotes, and the
# bytes of other alphabets.
_NOT_OF_A_PAIR = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z=-]")


class Cookie:
    """A cookie of ours, by its plain name; the values are tokens, which need no quoting."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self, request: Request, settings: Settings) -> str | None:
        """Its value in the request.

        Raises:
            DuplicateCookieError: there is another of this name, or of one that reads like it.
        """
        own, alike = self._find(request, settings)
        if own and len(own) + len(alike) > 1:
            raise DuplicateCookieError
        return own[0] if own else None

    def read_all(self, request: Request, settings: Settings) -> list[str]:
        """All values, its own first: to end what they open, never to open anything."""
        own, alike = self._find(request, settings)
        return own + alike

    def is_imitated(self, request: Request, settings: Settings) -> bool:
        """Whether the request has another one of its name, or of one that reads like it."""
        own, alike = self._find(request, settings)
        return len(own) > 1 or bool(alike)

    def set(self, settings: Settings, value: str, lifetime: timedelta) -> dict[str, str]:
        """The header that keeps it in the browser for so long."""
        name, secure = self._full_name(settings), "; Secure" if _is_https(settings) else ""
        age = int(lifetime.total_seconds())
        attributes = f"Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
        return {"Set-Cookie": f"{name}={value}; {attributes}"}

    def clear(self, settings: Settings) -> dict[str, str]:
        """The header that removes it."""
        return self.set(settings, "", timedelta(0))

    def _find(self, request: Request, settings: Settings) -> tuple[list[str], list[str]]:
        """The values under its very name, and under names that read like it."""
        name = self._full_name(settings)
        prefix = f"{name}=".encode()
        own, alike = [], []
        for pair in _pairs(request):
            if pair.startswith(prefix):
                own.append(pair.removeprefix(prefix).decode("latin-1"))
            elif name.casefold() in _readings(pair):
                alike.append(pair.rpartition(b"=")[2].decode("latin-1"))
        return own, alike

    def _full_name(self, settings: Settings) -> str:
        name = self._name
        if path := settings.public_path:
            # The prefix wants Path=/, so a neighbour on this host has to be told apart by the name.
            name = f"{name}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
        if _is_https(settings):
            return f"__Host-{name}"
        # Cookies know no port: on localhost there may be another Plaza.
        port = urlsplit(settings.public_url).port
        return f"{name}_{port}" if port else name


def _is_https(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")


def _pairs(request: Request) -> Iterator[bytes]:
    """What is sent as `name=value` (RFC 6265, section 4.2.1), as it is.

    Several Cookie headers are one that a proxy for HTTP/2 left in pieces (RFC 9113, section 8.2.3).
    """
    for header, line in request.scope["headers"]:
        if header == b"cookie":
            for pair in line.split(b";"):
                yield pair.removeprefix(b" ")


def _readings(pair: bytes) -> Iterator[str]:
    """The names that lenient parsers may find in a pair.

    They decode escapes and characters, strip what is invisible, ignore case, and take the value of
    a cookie without a name for one with it.
    """
    decoded = unquote_to_bytes(pair)
    for encoding in ("latin-1", "utf-8"):
        text = unicodedata.normalize("NFKC", decoded.decode(encoding, "ignore")).casefold()
        yield _NOT_OF_A_PAIR.sub("", text).lstrip("=").partition("=")[0]


DEVICE = Cookie("plaza_device")
REFRESH = Cookie("plaza_refresh")
# Among the dependencies of routes that read the second.
REFRESH_COOKIE = Security(
    Scheme(
        "RefreshCookie",
        APIKey.model_validate(
            {
                "in": "cookie",
                "name": "__Host-plaza_refresh",
                "description": "The refresh token of `POST /auth/web/login`, which no script reads."
                " Over http, as on localhost, the name is `plaza_refresh` with the port.",
            }
        ),
    )
)
