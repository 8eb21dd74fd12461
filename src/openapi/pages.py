"""The interactive documentation: Swagger UI at /docs and ReDoc at /redoc, without a CDN."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_oauth2_redirect_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers

from src.addresses.public_path import public_path
from src.dependencies import SettingsDep
from src.http.responses import is_named
from src.http.templating import NOT_INDEXED, TEMPLATES_DIR, page, page_csp

COMMON_CSP = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
# Both programs write inline styles and carry their icons as data: addresses.
SWAGGER_CSP = COMMON_CSP + (
    "script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
REDOC_CSP = SWAGGER_CSP + "; worker-src blob:"  # its search runs in a worker made from a blob

STATIC = Path(str(files("fastapi_offline"))) / "static"
REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"

HOME_LINKS = {
    "docs": "/docs",
    "redoc": "/redoc",
    "openapi": "/openapi.json",
    "health": "/health/ready",
    "authorization_server": "/.well-known/oauth-authorization-server",
}

router = APIRouter(include_in_schema=False)


class _Files(StaticFiles):
    def is_not_modified(self, response_headers: Headers, request_headers: Headers) -> bool:
        """Whether the caller has the file, whose tag a proxy may have rewritten."""
        known = request_headers.get("if-none-match")
        if known is not None:
            return is_named(response_headers["etag"], known)
        return super().is_not_modified(response_headers, request_headers)


@router.get("/")
async def home(request: Request, settings: SettingsDep) -> Response:
    """Where to go on, on a developer's machine; elsewhere no more than the product's name.

    A page for browsers, JSON for everybody else.
    """
    is_local = settings.environment == "local"
    if "text/html" in request.headers.get("Accept", ""):
        response: Response = page(
            "docs/home.html" if is_local else "docs/plain.html",
            request,
            csp=page_csp(settings, "script-src 'self'", "form-action 'none'"),
            api=f"{settings.public_url}/api/v1",
        )
    else:
        document: dict[str, object] = {"name": settings.brand_name}
        if is_local:
            root = public_path(request.scope)
            document["version"] = request.app.version
            document["links"] = {what: root + path for what, path in HOME_LINKS.items()}
        response = JSONResponse(document, headers=NOT_INDEXED)
    response.headers["Vary"] = "Accept"
    return response


@router.get("/docs")
async def swagger_ui(request: Request) -> HTMLResponse:
    """Swagger UI."""
    return _docs_page(request, "docs/swagger.html", SWAGGER_CSP)


@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """ReDoc."""
    return _docs_page(request, "docs/redoc.html", REDOC_CSP)


@router.get("/docs/redoc.js")
async def redoc_program() -> Response:
    """ReDoc without its maker's logo, which would come from another server, and the CSP stop it."""
    return Response(
        _redoc_program(), media_type="text/javascript", headers={"Cache-Control": "max-age=3600"}
    )


@router.get("/docs/swagger.js")
async def swagger_initializer() -> FileResponse:
    """The script that starts Swagger UI: a file, because the page allows no inline script."""
    return FileResponse(TEMPLATES_DIR / "docs/swagger.js")


@router.get("/docs/oauth2-redirect")
async def oauth2_redirect() -> HTMLResponse:
    """Where an OAuth2 authorization page returns to, in a window that Swagger UI opened."""
    response = get_swagger_ui_oauth2_redirect_html()
    script = bytes(response.body).split(b"<script>")[1].split(b"</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    response.headers["Content-Security-Policy"] = f"{COMMON_CSP}script-src 'sha256-{digest}'"
    return response


def install(app: FastAPI) -> None:
    """Add the documentation pages and the files they load."""
    app.include_router(router)
    app.mount("/docs/static", _Files(directory=STATIC))


@cache
def _redoc_program() -> bytes:
    return (STATIC / "redoc.standalone.js").read_bytes().replace(REDOC_LOGO, b"data:,")


def _docs_page(request: Request, template: str, csp: str) -> HTMLResponse:
    openapi_url = public_path(request.scope) + request.app.openapi_url
    return page(template, request, csp=csp, title=request.app.title, openapi_url=openapi_url)
