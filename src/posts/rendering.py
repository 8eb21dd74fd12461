"""Rendering the Markdown of posts without holding up other requests."""

from functools import partial

from src.posts.markdown import render_markdown
from src.threads import BoundedThreads

# The worst Markdown costs about 15 µs a character: up to here rendering is quicker than a thread.
SHORT = 1500

_threads = BoundedThreads("markdown", threads=1, queue=4, seconds_each=1.0)


async def render(source: str) -> str:
    """Markdown as safe HTML.

    Raises:
        OverloadedError: too many long texts at once.
    """
    if len(source) <= SHORT:
        return render_markdown(source)
    return await _threads.run(partial(render_markdown, source))
