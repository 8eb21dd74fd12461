"""The page behind a mailed link, for when no front end is set. Reading it changes nothing."""

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from src.auth.links import PAGES
from src.templating import TEMPLATES_DIR, page

PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

CONFIRM_PAGE_PATH = PAGES["confirm"]

router = APIRouter(include_in_schema=False)


@router.api_route(CONFIRM_PAGE_PATH, methods=["GET", "HEAD"])
async def confirm_email_page() -> HTMLResponse:
    """A button, and a password field for a browser other than the one that registered.

    The token stays in the address, where the page's script reads it when the button is pressed.
    """
    return page("auth/confirm_email.html", csp=PAGE_CSP)


@router.get(f"{CONFIRM_PAGE_PATH}/page.js")
async def script() -> FileResponse:
    """The page's script: a file, because the page allows no inline script."""
    return FileResponse(TEMPLATES_DIR / "auth/confirm_email.js")


@router.get(f"{CONFIRM_PAGE_PATH}/page.css")
async def stylesheet() -> FileResponse:
    """The page's style."""
    return FileResponse(TEMPLATES_DIR / "auth/confirm_email.css")
