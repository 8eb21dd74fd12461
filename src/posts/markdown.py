"""Markdown to HTML that is safe to put into any page."""

import nh3
from markdown_it import MarkdownIt

# What multiplies is left out: each use of a link reference definition copies the address (50 kB of
# them make 150 MB), and a table fills every short row up to the width of its head.
_markdown = (
    MarkdownIt("commonmark", {"html": False}).enable(["strikethrough"]).disable(["reference"])
)
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
