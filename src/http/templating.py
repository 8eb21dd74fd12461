"""The one Jinja2 environment: mails, and the few HTML pages the process serves itself."""

import tomllib

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from src.addresses.public_path import public_path
from src.config import PROJECT_ROOT, Settings
from src.http.branding import Brand
from src.locales import LOCALES, locale_of

TEMPLATES_DIR = PROJECT_ROOT / "templates"
NOT_INDEXED = {"X-Robots-Tag": "noindex"}

templates = Environment(
    loader=FileSystemLoader(TEMPLATES_DIR),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_words = {
    locale: tomllib.loads((TEMPLATES_DIR / f"pages/{locale}.toml").read_text("utf-8"))
    for locale in LOCALES
}


def page_csp(settings: Settings, *directives: str) -> str:
    """The policy of a page in our layout: its stylesheet, the logo, and what the page names."""
    images = f"img-src data: {settings.brand_logo_url or ''}".rstrip()
    ours = ("default-src 'none'", "style-src 'self'", images)
    return "; ".join([*ours, *directives, "base-uri 'none'", "frame-ancestors 'none'"])


def page(
    name: str, request: Request, *, csp: str, status_code: int = 200, **context: object
) -> HTMLResponse:
    """The HTML page `templates/<name>` under its own Content-Security-Policy, never kept.

    Its `root` is what the addresses of this server begin with; its `words` are those of
    `templates/pages/<locale>.toml` in the language that the caller prefers.
    """
    locale = locale_of(request.scope)
    html = templates.get_template(name).render(
        context,
        request=request,
        root=public_path(request.scope),
        brand=Brand.of(request.app.state.settings),
        locale=locale,
        words=_words[locale],
    )
    headers = {"Content-Security-Policy": csp, "Cache-Control": "no-store", **NOT_INDEXED}
    return HTMLResponse(html, status_code, headers=headers)
