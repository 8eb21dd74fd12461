"""How pages and mails look."""

from typing import Annotated

from pydantic import Field, field_validator

from src.addresses.origins import split_origin
from src.settings.values import SettingsGroup


class BrandSettings(SettingsGroup):
    """How pages and mails look."""

    brand_name: Annotated[str, Field(max_length=64)] = "Plaza"
    brand_color: Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$")] = "#1f5fd0"
    brand_logo_url: str | None = None

    @field_validator("brand_name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        """Nothing that ends a line, hides or turns the direction of what stands beside it."""
        value = value.strip()
        if not value or not value.isprintable():
            raise ValueError("takes one line of visible characters, without marks of direction")
        return value

    @field_validator("brand_logo_url")
    @classmethod
    def _one_image(cls, value: str | None) -> str | None:
        """Policies of pages name it (CSP 3, section 2.3.1): it can add nothing to them."""
        if not value:
            return value
        origin, path = split_origin(value)
        if not origin.startswith("https://") or not path or value.endswith("/"):
            raise ValueError("must look like https://example.com/logo.png")
        return origin + path
