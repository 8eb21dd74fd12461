"""Cookies for browsers: a device that has signed in before, and the refresh token of /auth/web.

Scripts cannot read them, other sites cannot have them sent, and on https no other host of the
domain can set them: `__Host-` (RFC 6265bis, section 4.1.3.2).
"""

from datetime import timedelta

from fastapi import Request

from src.config import Settings


class Cookie:
    """A cookie of ours, by its plain name; the values are tokens, which need no quoting."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self, request: Request, settings: Settings) -> str | None:
        """Its value in the request."""
        return request.cookies.get(self._full_name(settings))

    def set(self, settings: Settings, value: str, lifetime: timedelta) -> dict[str, str]:
        """The header that keeps it in the browser for so long."""
        name, secure = self._full_name(settings), "; Secure" if _is_https(settings) else ""
        age = int(lifetime.total_seconds())
        attributes = f"Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
        return {"Set-Cookie": f"{name}={value}; {attributes}"}

    def clear(self, settings: Settings) -> dict[str, str]:
        """The header that removes it."""
        return self.set(settings, "", timedelta(0))

    def _full_name(self, settings: Settings) -> str:
        return f"__Host-{self._name}" if _is_https(settings) else self._name


def _is_https(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")


DEVICE = Cookie("plaza_device")
REFRESH = Cookie("plaza_refresh")
