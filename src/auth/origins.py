"""Which pages may use cookies: those of this server and its front ends, by the Origin they send."""

from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import Request

from src.auth.exceptions import OriginNotAllowedError
from src.config import Settings
from src.dependencies import SettingsDep

_DEFAULT_PORTS = {"http": 80, "https": 443}


async def require_own_origin(request: Request, settings: SettingsDep) -> None:
    """Let only our own pages through; browsers name the origin of every POST (Fetch, section 3.2).

    Raises:
        OriginNotAllowedError: it is another, a sandboxed page's (`null`), missing or repeated.
    """
    origins = request.headers.getlist("origin")
    if len(origins) != 1 or origins[0] not in own_origins(settings):
        raise OriginNotAllowedError


def is_same_site(request: Request, settings: Settings) -> bool:
    """Whether the answer may leave a cookie for our own pages: no other site asked for it.

    Browsers say who asks, by `Origin` with every POST and by `Sec-Fetch-Site` (Fetch Metadata,
    section 2.3). Whoever says neither is no browser, and no page of another site is behind it.
    """
    origins = request.headers.getlist("origin")
    return request.headers.get("sec-fetch-site") != "cross-site" and all(
        origin in own_origins(settings) for origin in origins
    )


def own_origins(settings: Settings) -> set[str]:
    """Our own origins, in the form in which browsers send them."""
    urls = [settings.public_url, settings.frontend_url]
    return {*settings.cors_origins, *(_origin_of(url) for url in urls if url)}


@lru_cache
def _origin_of(url: str) -> str:
    """The origin of a URL (RFC 6454, section 6.2): lower case, the port unless it is the usual."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    if ":" in host:
        host = f"[{host}]"
    usual = parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)}
    return f"{parts.scheme}://{host}" if usual else f"{parts.scheme}://{host}:{parts.port}"
