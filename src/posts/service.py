"""Rules about posts."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from src.clock import Clock
from src.exceptions import NotFoundError
from src.ids import uuid7
from src.posts.markdown import render_markdown
from src.posts.models import Post
from src.posts.schemas import PostCreate, PostUpdate
from src.posts.slugs import new_slug


class PostService:
    """Changes to posts, in the caller's transaction."""

    def __init__(self, session: AsyncSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    async def create(self, author_id: UUID, data: PostCreate) -> Post:
        """Write a new post."""
        now = self._clock.now()
        post = Post(
            id=uuid7(),
            author_id=author_id,
            slug=new_slug(data.title),
            **data.model_dump(),
            body_html=render_markdown(data.body),
            created_at=now,
            updated_at=now,
            published_at=now if data.status == "published" else None,
        )
        self._session.add(post)
        await self._session.flush()
        return post

    async def get_own_for_update(self, author_id: UUID, post_id: UUID) -> Post:
        """The author's post, locked until the transaction ends.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        post = await self._session.scalar(
            select(Post)
            .where(Post.id == post_id, Post.author_id == author_id, Post.deleted_at.is_(None))
            .with_for_update(of=Post)
        )
        if post is None:
            raise NotFoundError
        return post

    async def update(self, post: Post, changes: PostUpdate) -> None:
        """Apply the given fields; absent ones stay as they are."""
        for name, value in changes.model_dump(exclude_unset=True).items():
            setattr(post, name, value)
        if not self._session.is_modified(post):
            return
        now = self._clock.now()
        if changes.body is not None:
            post.body_html = render_markdown(changes.body)
        if post.status == "draft":
            post.published_at = None
        elif post.published_at is None:
            post.published_at = now
        post.updated_at = now
        await self._session.flush()

    async def delete(self, post: Post) -> None:
        """Put the post into the trash: nobody sees it any more."""
        post.deleted_at = self._clock.now()
        await self._session.flush()
