"""Rules about posts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from src.dependencies import Service
from src.http.responses import IfMatch
from src.ids import uuid7
from src.posts.models import Post
from src.posts.rendering import render
from src.posts.schemas import PostCreate, PostUpdate
from src.posts.slugs import new_slug, slug_to_find
from src.schemas import canonical_uuid
from src.sql.statements import NewRow, Runner
from src.users.models import User

_new_post = NewRow(Post)


class PostService(Service):
    """Changes to posts, in the caller's transaction."""

    @staticmethod
    async def create(
        work: Runner, now: datetime, author_id: UUID, data: PostCreate, body_html: str
    ) -> dict[str, Any]:
        """Write a new post, whose body is rendered already; no session is needed.

        Returns:
            The values of its columns.
        """
        post = data.model_dump() | {
            "id": uuid7(),
            "author_id": author_id,
            "slug": new_slug(data.title),
            "body_html": body_html,
            "version": 1,
            "created_at": now,
            "updated_at": now,
            "published_at": now if data.status == "published" else None,
            "deleted_at": None,
        }
        await _new_post.write(work, post)
        return post

    async def update(
        self, author_id: UUID, id_or_slug: str, changes: PostUpdate, if_match: IfMatch
    ) -> Post:
        """Apply the given fields to the author's post; absent ones stay as they are.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            PreconditionFailedError: it has changed since the author read it.
        """
        # Before the row is locked: a long text must not hold a connection while it waits.
        body_html = (
            await render(changes.body, author_id) if "body" in changes.model_fields_set else None
        )
        if "status" in changes.model_fields_set:
            await self._lock_author(author_id)
        post = await self._own_for_update(author_id, id_or_slug, if_match)
        for name, value in changes.model_dump(exclude_unset=True).items():
            setattr(post, name, value)
        if not self._session.is_modified(post):
            return post
        now = self._clock.now()
        if body_html is not None:
            post.body_html = body_html
        if post.status == "draft":
            post.published_at = None
        elif post.published_at is None:
            post.published_at = now
        post.updated_at = now
        await self._session.flush()
        return post

    async def delete(self, author_id: UUID, id_or_slug: str, if_match: IfMatch) -> None:
        """Put the author's post into the trash: nobody sees it any more.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            PreconditionFailedError: it has changed since the author read it.
        """
        await self._lock_author(author_id)
        post = await self._own_for_update(author_id, id_or_slug, if_match)
        post.deleted_at = self._clock.now()
        await self._session.flush()

    async def _lock_author(self, author_id: UUID) -> None:
        """Before the post, as who deletes the account does: its count of posts may change."""
        await self._session.execute(
            select(User.id).where(User.id == author_id).with_for_update(key_share=True)
        )

    async def _own_for_update(self, author_id: UUID, id_or_slug: str, if_match: IfMatch) -> Post:
        post_id = canonical_uuid(id_or_slug)
        named = Post.id == post_id if post_id else Post.slug == slug_to_find(id_or_slug)
        post = await self._session.locked(
            Post, named, Post.author_id == author_id, Post.deleted_at.is_(None)
        )
        if_match.check(post.version)
        return post
