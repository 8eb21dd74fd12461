"""What travels about tags."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from src.pagination import PageQuery
from src.posts.schemas import Tag
from src.schemas import Output

TagSort = TypeAliasType("TagSort", Literal["count", "name"])


class TagFilter(PageQuery):
    """Which tags to list."""

    q: Annotated[Tag | None, Field(description="What they begin with")] = None
    sort: TagSort = "count"


class TagRead(Output):
    """A tag that published posts have."""

    name: Annotated[str, Field(examples=["boats"])]
    posts_count: int
