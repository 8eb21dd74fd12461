"""Where the server runs, and who may ask it."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from src.addresses.origins import split_origin
from src.settings.values import COMMAS, HeaderName, SettingsGroup


class ServerSettings(SettingsGroup):
    """Where the server runs, and who may ask it."""

    environment: Literal["local", "test", "production"] = "local"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    public_url: str = ""
    hsts_include_subdomains: bool = False
    frontend_url: str | None = None
    cors_origins: Annotated[list[str], *COMMAS] = []
    cors_allowed_headers: Annotated[list[HeaderName], *COMMAS] = [
        "Authorization",
        "Content-Type",
        "Accept-Language",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "X-Request-ID",
        "traceparent",
        "tracestate",
        "baggage",
        "sentry-trace",
    ]
    trusted_proxies: Annotated[list[IPv4Network | IPv6Network], *COMMAS] = []
    webhook_allowed_networks: Annotated[list[IPv4Network | IPv6Network], *COMMAS] = []
    data_dir: Path = Path("var")
    access_log: bool = False
    max_body_bytes: Annotated[int, Field(ge=1024, le=1024**3)] = 1024 * 1024
    worker_in_server: bool = True

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, value: list[str]) -> list[str]:
        try:
            origins = [split_origin(text) for text in value]
        except ValueError as error:
            message = f"takes exact origins such as https://app.example.com; one of these {error}"
            raise ValueError(message) from None
        if any(path for _, path in origins):
            raise ValueError("takes exact origins such as https://app.example.com, without a path")
        return [origin for origin, _ in origins]

    @field_validator("public_url", "frontend_url")
    @classmethod
    def _canonical_url(cls, value: str | None) -> str | None:
        if not value:
            return value
        origin, path = split_origin(value)
        if not origin.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return origin + path

    @property
    def webhook_encryption_required(self) -> bool:
        """Whether webhooks outside of the allowed networks need https."""
        return self.environment == "production"

    @property
    def public_path(self) -> str:
        """The path of PUBLIC_URL, which a proxy in front strips; empty without one."""
        return split_origin(self.public_url)[1]
