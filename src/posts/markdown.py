"""Markdown to HTML that is safe to put into any page."""

import nh3
from markdown_it import MarkdownIt

# Without link reference definitions: each use copies the address, so 50 kB of them make 150 MB.
_markdown = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["reference"])
)
_URL_SCHEMES = {"http", "https", "mailto"}


def render_markdown(source: str) -> str:
    """CommonMark with tables and strikethrough, then everything but harmless tags removed.

    Of CommonMark, raw HTML and link reference definitions are left out.

    Links get `rel="noopener noreferrer nofollow ugc"`, and lead to http, https and mailto only.
    """
    return nh3.clean(
        _markdown.render(source),
        url_schemes=_URL_SCHEMES,
        link_rel="noopener noreferrer nofollow ugc",
    )
