"""Shapes take their fields from the schema."""

from datetime import datetime
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import func

from src.posts.models import Post
from src.sql.shapes import Shape
from src.users.models import User


class Author(BaseModel):
    """Nested."""

    id: UUID
    username: str
    avatar_url: str | None = None


class Heading(BaseModel):
    """A part of a post."""

    id: UUID
    title: str
    length: int
    likes_count: int = 0
    author: Author
    created_at: datetime


def test_a_field_is_the_column_of_its_name_and_a_default_a_constant() -> None:
    shape = Shape.of(Heading, Post, author=User, length=func.length(Post.title))
    columns = [str(column) for column in shape.columns]
    assert columns == [
        "Post.id",
        "Post.title",
        "length(posts.title)",
        "Post.created_at",
        "User.id",
        "User.username",
    ]
    values = {"id": 1, "title": "A", "length": 1, "created_at": 2}
    assert shape.of_values(values, author={"id": 3, "username": "ann"}) == {
        **values,
        "likes_count": 0,
        "author": {"id": 3, "username": "ann", "avatar_url": None},
    }


def test_a_field_that_is_nowhere_is_found_at_import() -> None:
    with pytest.raises(AttributeError, match="length"):
        Shape.of(Heading, Post, author=User)
    with pytest.raises(AttributeError, match="lenght"):
        Shape.of(Heading, Post, author=User, length=func.length(Post.title), lenght=Post.title)
