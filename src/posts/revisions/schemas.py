"""What travels about revisions."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from src.posts.schemas import PostAuthor
from src.schemas import Output


class RevisionSummary(Output):
    """A revision in a list."""

    number: Annotated[int, Field(description="From 1 on; the highest is what the post says now")]
    title: str
    editor: PostAuthor
    created_at: datetime


class RevisionRead(RevisionSummary):
    """What a post said."""

    summary: str
    body: str
    tags: Annotated[list[str], Field(examples=[["boats"]])]
