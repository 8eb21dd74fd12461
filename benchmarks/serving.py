"""Serves a benchmark's application as `python -m src serve` serves Plaza."""

import uvicorn
from starlette.types import ASGIApp

from src.config import Settings


def serve(app: ASGIApp, settings: Settings) -> None:
    """Serve until a signal ends it."""
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
