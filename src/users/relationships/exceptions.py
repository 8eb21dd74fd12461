"""Why somebody cannot be followed or blocked."""

from typing import ClassVar

from src.exceptions import ConflictError


class OneselfError(ConflictError):
    """One does not follow or block oneself."""

    code = "oneself"
    title = "That is you"


class TooManyFollowsError(ConflictError):
    """Somebody follows as many as one can."""

    code = "too_many_follows"
    title = "You follow as many people as you can: stop following somebody first"
    constraint: ClassVar[str | None] = "ck_follow_counts_not_too_many"
