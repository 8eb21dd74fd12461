"""Devices that have signed in before, shown by a cookie that holds a token for each account.

Guesses from such a device are counted on their own (OWASP: device cookies), so its cookie must not
be replaced by a stranger: it is read and set for our own pages only, and a sign-in to one account
leaves the tokens of others where they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from src.auth.sign_in.cookies import DEVICE
from src.auth.sign_in.origins import is_same_site
from src.auth.tokens.opaque_tokens import parse
from src.config import Settings
from src.dependencies import SettingsDep

DEVICE_LIFETIME = timedelta(days=365)  # after the last sign-in on it
MAX_ACCOUNTS = 10  # on one device; the one that has not signed in for longest is forgotten


@dataclass(frozen=True, slots=True)
class Device:
    """What a request shows of earlier sign-ins; `settings` is None where no cookie may be set."""

    tokens: tuple[str, ...]
    settings: Settings | None

    def remember(self, token: str) -> dict[str, str]:
        """The header that keeps the token of a sign-in, and those of other accounts."""
        if self.settings is None:
            return {}
        tokens = [token, *self._others(token)][:MAX_ACCOUNTS]
        return DEVICE.set(self.settings, ".".join(tokens), DEVICE_LIFETIME)

    def _others(self, token: str) -> Iterator[str]:
        new = parse(token)
        for other in self.tokens:
            old = parse(other)
            if old and new and old.row_id != new.row_id:
                yield other


async def get_device(request: Request, settings: SettingsDep) -> Device:
    """The device of a request.

    Raises:
        DuplicateCookieError: its cookie came twice.
    """
    if not is_same_site(request, settings):
        return Device((), None)
    sent = DEVICE.read(request, settings) or ""
    return Device(tuple(sent.split(".", MAX_ACCOUNTS)[:MAX_ACCOUNTS]), settings)


DeviceDep = Annotated[Device, Depends(get_device)]
