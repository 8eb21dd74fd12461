"""Rendering the Markdown of posts without holding up other requests."""

from functools import partial
from uuid import UUID

from src.exceptions import InvalidInputError
from src.posts.text.markdown import render_markdown, shows_something
from src.threads import BoundedThreads

WORST_SECONDS = 15e-6  # a character of the worst Markdown; prose takes a hundredth of it
SHORT = 1500  # characters, and
PLAIN = 100  # of them markup: up to here a thread is not worth it
MARKUP = "[]!*_`~<&|\\"
LONGEST_WAIT = 15.0  # seconds: a million characters of the worst

_threads = BoundedThreads("markdown", 1, LONGEST_WAIT, WORST_SECONDS)


async def render(source: str, author_id: UUID) -> str:
    """Markdown as safe HTML.

    Raises:
        InvalidInputError: it shows nothing, such as a body of `&nbsp;`.
        OverloadedError: too many long texts at once, of this author if of anybody.
    """
    html = await _rendered(source, author_id)
    if not shows_something(html):
        raise InvalidInputError.at("body", "body", type="text_invisible")
    return html


async def _rendered(source: str, author_id: UUID) -> str:
    length = len(source)
    if length <= SHORT and sum(map(source.count, MARKUP)) <= PLAIN:
        return render_markdown(source)
    return await _threads.run(partial(render_markdown, source), author_id, length)
