"""Errors about posts."""

from typing import ClassVar

from src.exceptions import ConflictError


class SlugTakenError(ConflictError):
    """Two posts drew the same random end; trying again draws another."""

    code = "slug_taken"
    title = "That slug is taken: try again"
    constraint: ClassVar[str | None] = "uq_posts_slug"
