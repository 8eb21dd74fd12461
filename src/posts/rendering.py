"""Rendering the Markdown of posts without holding up other requests."""

from functools import partial

from src.posts.markdown import render_markdown
from src.threads import BoundedThreads

WORST_SECONDS = 15e-6  # a character of the worst Markdown; prose takes a hundredth of it
SHORT = 1500  # characters, and
PLAIN = 100  # of them markup: up to here a thread is not worth it
MARKUP = "[]!*_`~<&|\\"

MAX_WAITING = 1_000_000  # characters

_threads = BoundedThreads("markdown", 1, MAX_WAITING, WORST_SECONDS)


async def render(source: str) -> str:
    """Markdown as safe HTML.

    Raises:
        OverloadedError: too many long texts at once.
    """
    if len(source) <= SHORT and sum(map(source.count, MARKUP)) <= PLAIN:
        return render_markdown(source)
    return await _threads.run(partial(render_markdown, source), len(source))
