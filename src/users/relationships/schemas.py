"""What travels about those who follow or are blocked."""

from uuid import UUID

from src.schemas import Output


class UserSummary(Output):
    """Somebody in a list."""

    id: UUID
    username: str
    display_name: str
    avatar_url: str | None = None
