"""Markdown to HTML that is safe to put into any page."""

import re
from html import unescape

import nh3
from markdown_it import MarkdownIt

from src.text import is_visible

# What multiplies is left out: each use of a link reference definition copies the address (50 kB of
# them make 150 MB), and a table fills every short row up to the width of its head.
_markdown = (
    MarkdownIt("commonmark", {"html": False}).enable(["strikethrough"]).disable(["reference"])
)
_SEEN_WITHOUT_TEXT = re.compile("<(?:img|hr)[ >]")
_TEXT = re.compile(">([^<]+)")
_URL_SCHEMES = {"http", "https", "mailto"}


def render_markdown(source: str) -> str:
    """CommonMark with strikethrough, then everything but harmless tags removed.

    Of CommonMark, raw HTML and link reference definitions are left out.

    Links get `rel="noopener noreferrer nofollow ugc"`, and lead to http, https and mailto only.
    """
    return nh3.clean(
        _markdown.render(source),
        url_schemes=_URL_SCHEMES,
        link_rel="noopener noreferrer nofollow ugc",
    )


def shows_something(html: str) -> bool:
    """Whether rendered Markdown has text that is seen, an image or a rule."""
    texts = (unescape(found[1]) for found in _TEXT.finditer(html))
    return any(map(is_visible, texts)) or _SEEN_WITHOUT_TEXT.search(html) is not None
