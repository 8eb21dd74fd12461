"""Errors about posts."""

from src.exceptions import ConflictError


class SlugTakenError(ConflictError):
    """Two posts drew the same random end; trying again draws another."""

    code = "slug_taken"
    title = "That slug is taken: try again"
    constraint = "uq_posts_slug"
