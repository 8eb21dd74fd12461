"""Which pages may use cookies: those of this server and its front ends, by the Origin they send."""

from fastapi import Request

from src.auth.exceptions import CrossSiteError, OriginNotAllowedError
from src.config import Settings
from src.dependencies import SettingsDep
from src.http.cors import own_origins


async def require_own_origin(request: Request, settings: SettingsDep) -> None:
    """Let only our own pages through; browsers name the origin of every POST (Fetch, section 3.2).

    With a GET they do so only for another origin, and say in `Sec-Fetch-Site` when it is the same.

    Raises:
        OriginNotAllowedError: it is another, a sandboxed page's (`null`), missing or repeated.
        CrossSiteError: it is ours, on a site that gets no SameSite=Strict cookie from here.
    """
    origins = request.headers.getlist("origin")
    is_same_origin = request.headers.get("sec-fetch-site") == "same-origin"
    if request.method == "GET" and not origins and is_same_origin:
        return
    if len(origins) != 1 or origins[0] not in own_origins(settings):
        raise OriginNotAllowedError
    if _is_cross_site(request):
        raise CrossSiteError


def is_same_site(request: Request, settings: Settings) -> bool:
    """Whether the answer may leave a cookie for our own pages: no other site asked for it.

    Browsers say who asks, by `Origin` with every POST and by `Sec-Fetch-Site` (Fetch Metadata,
    section 2.3). Whoever says neither is no browser, and no page of another site is behind it.
    """
    origins = request.headers.getlist("origin")
    own = own_origins(settings)
    return not _is_cross_site(request) and all(origin in own for origin in origins)


def _is_cross_site(request: Request) -> bool:
    return request.headers.get("sec-fetch-site") == "cross-site"
