"""The product's colour: whatever it is, what is written in it and on it can be read."""

import random

import pytest

from src.http.branding import READABLE, Brand, contrast

GROUNDS = ["#ffffff", "#f4f5f7", "#161b22", "#0d1117"]
COLORS = ["#000000", "#ffffff", "#ffe600", "#777777", "#757575", "#FF0000", "#00ff00", "#0000ff"]
RANDOM = random.Random(7)
COLORS += [f"#{RANDOM.randrange(2**24):06x}" for _ in range(200)]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == 21
    assert contrast("#777777", "#777777") == 1
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
    assert round(contrast("#ffffff", "#FF0000"), 2) == 4.0


@pytest.mark.parametrize("color", COLORS)
def test_every_colour_can_be_read(color: str) -> None:
    brand = Brand("Plaza", color, None)
    assert brand.text_color in {"#000000", "#ffffff"}
    assert contrast(brand.text_color, color) >= READABLE
    for ground in GROUNDS:
        shade = brand.readable_on(ground)
        assert contrast(shade, ground) >= READABLE
        if contrast(color, ground) >= READABLE:
            assert shade == color.lower()


def test_the_text_is_the_one_that_is_easier_to_read() -> None:
    assert Brand("Plaza", "#ffe600", None).text_color == "#000000"
    assert Brand("Plaza", "#1f5fd0", None).text_color == "#ffffff"
