"""What pages load: their stylesheet and scripts. Files, because pages allow nothing inline."""

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from src.dependencies import SettingsDep
from src.exceptions import NotFoundError
from src.http.branding import Brand
from src.http.templating import TEMPLATES_DIR, templates

SCRIPTS = {file.name: file for file in TEMPLATES_DIR.glob("*/*.js")}
FRESH = {"Cache-Control": "no-cache"}  # they fit the pages of this release, and its settings

router = APIRouter(prefix="/account-pages", include_in_schema=False)


@router.get("/page.css")
async def stylesheet(settings: SettingsDep) -> Response:
    """The look of every page, in the product's colour."""
    css = templates.get_template("pages/page.css").render(brand=Brand.of(settings))
    return Response(css, media_type="text/css", headers=FRESH)


@router.get("/{name}")
async def script(name: str) -> FileResponse:
    """A script."""
    if name not in SCRIPTS:
        raise NotFoundError
    return FileResponse(SCRIPTS[name], headers=FRESH)
