"""The pages behind mailed links, for when no front end is set. Reading one changes nothing."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from src.auth.passwords.rules import MAX_LENGTH
from src.auth.tokens.links import FORGOT_PASSWORD_PAGE, PAGES, forgot_password_url, home_url
from src.config import Settings
from src.dependencies import SettingsDep
from src.http.templating import page, page_csp

router = APIRouter(include_in_schema=False)


@router.api_route(PAGES["confirm"], methods=["GET", "HEAD"])
async def confirm_email_page(request: Request, settings: SettingsDep) -> HTMLResponse:
    """A button, and a password field for a browser other than the one that registered.

    The token stays in the address, where the page's script reads it when the button is pressed.
    Without one the page asks for the address to which a new link goes.
    """
    return _page("auth/confirm_email.html", request, settings)


@router.api_route(PAGES["reset"], methods=["GET", "HEAD"])
async def reset_password_page(request: Request, settings: SettingsDep) -> HTMLResponse:
    """A field for the new password; the token stays in the address here too."""
    return _page("auth/reset_password.html", request, settings)


@router.api_route(FORGOT_PASSWORD_PAGE, methods=["GET", "HEAD"])
async def forgot_password_page(request: Request, settings: SettingsDep) -> HTMLResponse:
    """A field for the address to which the link goes."""
    return _page("auth/forgot_password.html", request, settings)


@router.get("/.well-known/change-password")
async def change_password(settings: SettingsDep) -> RedirectResponse:
    """Where password managers send somebody for a new password (W3C: change-password URL)."""
    return RedirectResponse(forgot_password_url(settings), 303)


def _page(template: str, request: Request, settings: Settings) -> HTMLResponse:
    return page(
        template,
        request,
        csp=page_csp(settings, "script-src 'self'", "connect-src 'self'", "form-action 'none'"),
        home_url=home_url(settings),
        forgot_password_url=forgot_password_url(settings),
        min_length=settings.password_min_length,
        max_length=MAX_LENGTH,
        breached_passwords=settings.breached_passwords_url,
    )
