"""Markdown to HTML that is safe to put into any page."""

import re
from html import unescape

import nh3
from markdown_it import MarkdownIt

from src.validation.text import is_visible

# What multiplies is left out: each use of a link reference definition copies the address (50 kB of
# them make 150 MB), and a table fills every short row up to the width of its head.
_markdown = (
    MarkdownIt("commonmark", {"html": False}).enable(["strikethrough"]).disable(["reference"])
)
# An image without an address, as one of `data:` is left, shows nothing.
_SEEN_WITHOUT_TEXT = re.compile('<(?:img src="[^"]|hr[ >])')
# No text has them (src.validation.text), but `&#x202e;` makes one.
_OVERRIDES = dict.fromkeys([0x202D, 0x202E])
_TEXT = re.compile(">([^<]+)")
_URL_SCHEMES = {"http", "https", "mailto"}
_ATTRIBUTES = nh3.ALLOWED_ATTRIBUTES | {"code": {"class"}}
_LANGUAGE = re.compile(r"language-[A-Za-z0-9+#-]+")


def render_markdown(source: str) -> str:
    """CommonMark with strikethrough, then everything but harmless tags removed.

    Of CommonMark, raw HTML and link reference definitions are left out.

    Links get `rel="noopener noreferrer nofollow ugc"`, and lead to http, https and mailto only.
    Code has its language as a class, such as `language-python`; nothing else has one.
    """
    return nh3.clean(
        _markdown.render(source).translate(_OVERRIDES),
        attributes=_ATTRIBUTES,
        attribute_filter=_without_other_classes,
        url_schemes=_URL_SCHEMES,
        link_rel="noopener noreferrer nofollow ugc",
    )


def shows_something(html: str) -> bool:
    """Whether rendered Markdown has text that is seen, an image or a rule."""
    texts = (unescape(found[1]) for found in _TEXT.finditer(html))
    return any(map(is_visible, texts)) or _SEEN_WITHOUT_TEXT.search(html) is not None


def _without_other_classes(_tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "class" or _LANGUAGE.fullmatch(value) else None
