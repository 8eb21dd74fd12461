"""Sessions of same-site browsers: the refresh token is in a cookie that no script can read.

The cookie is a credential for these routes only, and they answer only pages of our own origins.
"""

from fastapi import APIRouter, Depends, Request, Response

from src.auth.clients.forms import CookieSignIn, in_document
from src.auth.clients.service import PUBLIC_CLIENT, public_client
from src.auth.clients.token_request import read_web_sign_in
from src.auth.dependencies import AuthDep
from src.auth.exceptions import InvalidGrantError, InvalidScopeError
from src.auth.schemas import TokenRead
from src.auth.sign_in.cookies import DEVICE, REFRESH, REFRESH_COOKIE
from src.auth.sign_in.devices import DeviceDep
from src.auth.sign_in.origins import require_own_origin
from src.auth.sign_in.schemas import CookieSessionRead, CookieTokenRead
from src.config import Settings
from src.dependencies import SettingsDep
from src.http.responses import NOT_KEPT, DocumentResponse
from src.openapi.security import OPTIONAL
from src.sql.shapes import Document

MAX_SIGNED_OUT = 10  # sessions at once: no browser has more cookies of ours than one

router = APIRouter(prefix="/auth/web", tags=["auth"], dependencies=[Depends(require_own_origin)])


@router.post(
    "/login",
    response_model=CookieTokenRead | CookieSessionRead,
    openapi_extra=in_document(CookieSignIn, "application/json"),
)
async def sign_in_with_cookie(
    request: Request, settings: SettingsDep, device: DeviceDep, auth: AuthDep
) -> Response:
    """Sign in with a password and a second factor. The refresh token goes into a cookie."""
    form = await read_web_sign_in(request)
    REFRESH.read(request, settings)  # what the first refresh would refuse is refused now
    included, client = form.includes_user, public_client(form)
    signed_in = await auth.sign_in.with_form(form, client, device.tokens)
    user = {"user": signed_in.account} if included else {}
    response = _tokens_with_cookie(signed_in.tokens, settings, **user)
    for name, value in device.remember(signed_in.device_token).items():
        response.headers.append(name, value)
    return response


@router.post("/refresh", response_model=CookieTokenRead, dependencies=[REFRESH_COOKIE])
async def refresh_with_cookie(request: Request, settings: SettingsDep, auth: AuthDep) -> Response:
    """Get a new access token. The cookie is renewed, the same for tabs that ask at once.

    A refusal leaves the cookie as it is: the browser may hold that of a newer sign-in by then.
    """
    refresh_token = REFRESH.read(request, settings) or ""
    tokens = await auth.sessions.refresh(refresh_token, None, PUBLIC_CLIENT)
    return _tokens_with_cookie(tokens, settings)


@router.get(
    "/session",
    response_model=CookieSessionRead | None,
    dependencies=[REFRESH_COOKIE],
    openapi_extra=OPTIONAL,
)
async def get_cookie_session(
    request: Request,
    settings: SettingsDep,
    auth: AuthDep,
) -> Response:
    """Find out who is signed in here. The answer has a new access token, or is `null`."""
    refresh_token = REFRESH.read(request, settings) or ""
    try:
        tokens = await auth.sessions.refresh(refresh_token, None, PUBLIC_CLIENT)
    except (InvalidGrantError, InvalidScopeError):  # the second: no scope is left to the session
        return DocumentResponse(None, headers=NOT_KEPT)
    return _tokens_with_cookie(tokens, settings, user=await auth.account_of(tokens))


@router.post(
    "/logout",
    status_code=204,
    response_class=Response,
    dependencies=[REFRESH_COOKIE],
    openapi_extra=OPTIONAL,
)
async def sign_out_with_cookie(request: Request, settings: SettingsDep, auth: AuthDep) -> Response:
    """End the session of the cookie, if there is one, and clear the cookie.

    Where another host of the domain has set one like it, all cookies of the domain are cleared.
    """
    refresh_tokens = REFRESH.read_all(request, settings)
    for refresh_token in refresh_tokens[:MAX_SIGNED_OUT]:
        await auth.sessions.sign_out_with(refresh_token, PUBLIC_CLIENT)
    headers = REFRESH.clear(settings)
    if REFRESH.is_imitated(request, settings) or DEVICE.is_imitated(request, settings):
        # We cannot name its domain and path; browsers obey on https and localhost only.
        headers["Clear-Site-Data"] = '"cookies"'
    return Response(status_code=204, headers=headers)


def _tokens_with_cookie(
    tokens: TokenRead, settings: Settings, **included: Document | None
) -> Response:
    cookie = REFRESH.set(settings, tokens.refresh_token, settings.session_idle_lifetime)
    document = tokens.model_dump(exclude={"refresh_token"}) | included
    return DocumentResponse(document, headers=NOT_KEPT | cookie)
