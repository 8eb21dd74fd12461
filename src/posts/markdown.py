"""Markdown to HTML that is safe to put into any page."""

import nh3
from markdown_it import MarkdownIt

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_URL_SCHEMES = {"http", "https", "mailto"}


def render_markdown(source: str) -> str:
    """CommonMark with tables and strikethrough, then everything but harmless tags removed.

    Links get `rel="noopener noreferrer nofollow ugc"`, and lead to http, https and mailto only.
    """
    return nh3.clean(
        _markdown.render(source),
        url_schemes=_URL_SCHEMES,
        link_rel="noopener noreferrer nofollow ugc",
    )
