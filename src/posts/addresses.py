"""Where people read: in the front end, or without one what the API says."""

from urllib.parse import quote

from src.config import Settings


def home_url(settings: Settings) -> str:
    """Where the posts are."""
    return settings.frontend_url or settings.public_url


def post_url(settings: Settings, slug: str) -> str:
    """The page of a post."""
    return f"{_pages(settings)}/posts/{quote(slug)}"


def author_url(settings: Settings, username: str) -> str:
    """The page of somebody who writes."""
    return f"{_pages(settings)}/users/{quote(username)}"


def _pages(settings: Settings) -> str:
    return settings.frontend_url or f"{settings.public_url}/api/v1"
