"""The life of a post: a draft is published now or at a time, and may be taken back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from typing_extensions import TypeAliasType

PostStatus = TypeAliasType("PostStatus", Literal["draft", "published", "scheduled"])
TRASH_KEPT = timedelta(days=30)


class PublicationError(Exception):
    """What is said of the time to publish makes no sense; `fault` is the type of the error."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class State:
    """What is published has a `published_at`, what is scheduled a `publish_at`."""

    status: PostStatus = "draft"
    published_at: datetime | None = None
    publish_at: datetime | None = None

    def then(self, status: PostStatus, publish_at: datetime | None, now: datetime) -> "State":
        """The state that follows. What is published stays so since the first time.

        Raises:
            PublicationError: a schedule without a time, with one that has passed, or a time
                without a schedule.
        """
        if status == "scheduled":
            at = publish_at or self.publish_at
            if at is None:
                raise PublicationError("publish_at_missing")
            if publish_at and publish_at <= now:
                raise PublicationError("publish_at_past")
            return State(status, publish_at=at)
        if publish_at is not None:
            raise PublicationError("publish_at_unscheduled")
        if status == "published":
            return State(status, published_at=self.published_at or now)
        return State()
