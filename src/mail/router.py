"""The local mailbox in a browser, or as JSON for scripts and tests. Never part of production."""

import asyncio
import re
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import BaseModel

from src.config import Settings
from src.dependencies import SettingsDep
from src.exceptions import AppError, NotFoundError
from src.http.templating import page, page_csp
from src.mail.mailbox import Mailbox, StoredMail

# A mail may hold anything: nothing in it runs, nothing remote but the logo loads, links open their
# own page.
MAIL_CSP = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data: {logo}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
_PORT = re.compile(r":[0-9]*$")


class LocalOnlyError(AppError):
    """The page that asks may be of another site."""

    status = 403
    code = "local_only"
    title = "The local mailbox answers only to its own machine"


async def require_local_page(request: Request, settings: SettingsDep) -> None:
    """Keep the mails, whose links open accounts, from pages of other sites.

    Such a page reads what is here once its own name leads to this machine (DNS rebinding), but then
    `Host` is that name. Otherwise browsers say who asks (Fetch Metadata); a link may lead here,
    since the page it is on sees nothing of it.

    Raises:
        LocalOnlyError: it is or may be one.
    """
    hosts = [_PORT.sub("", host).lower() for host in request.headers.getlist("host")]
    if len(hosts) != 1 or hosts[0] not in _hosts(settings):
        raise LocalOnlyError(f"Open it at {settings.public_url}, or set PUBLIC_URL to its address")
    fetch = {name: request.headers.get(f"sec-fetch-{name}") for name in ("site", "mode", "dest")}
    is_link = request.method == "GET" and (fetch["mode"], fetch["dest"]) == ("navigate", "document")
    if fetch["site"] == "cross-site" and not is_link:
        raise LocalOnlyError("A page of another site asked for it")


def _hosts(settings: Settings) -> set[str]:
    return LOCAL_HOSTS | {_PORT.sub("", urlsplit(settings.public_url).netloc).lower()}


router = APIRouter(
    prefix="/dev/mailbox", include_in_schema=False, dependencies=[Depends(require_local_page)]
)


class MailList(BaseModel):
    """The messages of the mailbox, the newest first."""

    items: list[StoredMail]


async def get_mailbox(settings: SettingsDep) -> Mailbox:
    """The running application's local mailbox."""
    return Mailbox.of(settings)


MailboxDep = Annotated[Mailbox, Depends(get_mailbox)]


@router.get("")
async def list_mail(
    request: Request, settings: SettingsDep, mailbox: MailboxDep, to: str | None = None
) -> Response:
    """Every mail, or those to one address."""
    mails = await asyncio.to_thread(mailbox.messages, to or None)
    return _page_or_json(request, settings, "mailbox/list.html", MailList(items=mails))


@router.delete("", status_code=204, response_class=Response)
async def empty_mailbox(mailbox: MailboxDep) -> None:
    """Delete every mail."""
    await asyncio.to_thread(mailbox.clear)


@router.get("/{mail_id}")
async def show_mail(
    request: Request, settings: SettingsDep, mailbox: MailboxDep, mail_id: str
) -> Response:
    """One mail."""
    mail = await asyncio.to_thread(mailbox.get, mail_id)
    return _page_or_json(request, settings, "mailbox/mail.html", mail)


@router.get("/{mail_id}/html")
async def show_html(settings: SettingsDep, mailbox: MailboxDep, mail_id: str) -> HTMLResponse:
    """The HTML of a mail as its reader sees it."""
    mail = await asyncio.to_thread(mailbox.get, mail_id)
    if mail.html is None:
        raise NotFoundError
    csp = MAIL_CSP.format(logo=settings.brand_logo_url or "")
    headers = {"Content-Security-Policy": csp, "Cache-Control": "no-store"}
    return HTMLResponse(mail.html, headers=headers)


@router.get("/{mail_id}/text")
async def show_text(mailbox: MailboxDep, mail_id: str) -> PlainTextResponse:
    """The text of a mail."""
    mail = await asyncio.to_thread(mailbox.get, mail_id)
    return PlainTextResponse(mail.text, headers={"Cache-Control": "no-store"})


def _page_or_json(
    request: Request, settings: Settings, template: str, content: BaseModel
) -> Response:
    """What the caller's Accept asks for: a page for browsers, JSON for everybody else."""
    if "text/html" in request.headers.get("Accept", ""):
        csp = page_csp(settings, "frame-src 'self'", "form-action 'self'")
        response: Response = page(template, request, csp=csp, content=content)
    else:
        response = Response(
            content.model_dump_json(by_alias=True),
            media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )
    response.headers["Vary"] = "Accept"
    return response
