"""The product's face: its name, colour and logo, as pages and mails show them."""

from dataclasses import dataclass
from typing import Self

from src.config import Settings

WHITE, BLACK = "#ffffff", "#000000"
READABLE = 4.5  # WCAG 2.2, 1.4.3 (AA)
SHADES = 20


@dataclass(frozen=True, slots=True)
class Brand:
    """Colours are written `#rrggbb`."""

    name: str
    color: str
    logo_url: str | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings say."""
        return cls(settings.brand_name, settings.brand_color, settings.brand_logo_url)

    @property
    def text_color(self) -> str:
        """Black or white, whichever is easier to read on the colour: 4.58:1 at least."""
        return _opposite(self.color)

    def readable_on(self, background: str) -> str:
        """The colour, or the next shade of it in which text can be read on a background."""
        end = _opposite(background)
        shades = (_mixed(self.color, end, step / SHADES) for step in range(SHADES + 1))
        return next(shade for shade in shades if contrast(shade, background) >= READABLE)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2, contrast ratio)."""
    darker, lighter = sorted([_luminance(one), _luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def _opposite(color: str) -> str:
    return max(WHITE, BLACK, key=lambda end: contrast(end, color))


def _luminance(color: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in bytes.fromhex(color[1:]))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    """A channel of sRGB as an amount of light (IEC 61966-2-1)."""
    low = 0.04045
    return channel / 12.92 if channel <= low else ((channel + 0.055) / 1.055) ** 2.4


def _mixed(color: str, end: str, share: float) -> str:
    pairs = zip(bytes.fromhex(color[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * share) for a, b in pairs).hex()
