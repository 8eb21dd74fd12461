"""The one Jinja2 environment: mails, and the few HTML pages the process serves itself."""

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from src.addresses.public_path import public_path
from src.config import PROJECT_ROOT

TEMPLATES_DIR = PROJECT_ROOT / "templates"

templates = Environment(
    loader=FileSystemLoader(TEMPLATES_DIR),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def page(
    name: str, request: Request, *, csp: str, status_code: int = 200, **context: object
) -> HTMLResponse:
    """The HTML page `templates/<name>` under its own Content-Security-Policy, never cached.

    Its `root` is what the addresses of this server begin with.
    """
    root = public_path(request.scope)
    return HTMLResponse(
        templates.get_template(name).render(context, request=request, root=root),
        status_code,
        headers={"Content-Security-Policy": csp, "Cache-Control": "no-store"},
    )
