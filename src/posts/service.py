"""Rules about posts."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Delete, delete, insert, select

from src.dependencies import Service
from src.events import log as events
from src.events.kinds import Kind
from src.exceptions import InvalidInputError
from src.http.responses import IfMatch
from src.ids import uuid7
from src.posts.life import PostStatus, PublicationError, State
from src.posts.models import Post, PostRevision, PostSlug
from src.posts.reads import named, read_changed
from src.posts.schemas import PostCreate, PostUpdate
from src.posts.slugs.registry import take_slug
from src.posts.slugs.rules import has_stem, slug_stem
from src.posts.tasks import publish_later
from src.posts.text.rendering import render
from src.sql.shapes import Document
from src.sql.statements import NewRow, Runner, Statement
from src.users.models import User

MAX_REVISIONS = 100
# By whether everybody could read it before, and can now.
_WHAT_HAPPENED: dict[tuple[bool, bool], Kind] = {
    (False, True): "post.published",
    (True, True): "post.updated",
    (True, False): "post.removed",
}
_CONTENT = {"title", "summary", "body", "tags"}
_inserted = insert(Post).returning(Post.slug, Post.id, Post.created_at).cte("inserted")
_new_post = NewRow(
    insert(PostSlug).from_select(["slug", "post_id", "taken_at"], select(*_inserted.c))
)
_new_revision = NewRow(PostRevision)


@Statement
def _forget_revisions(post_id: UUID, oldest: int) -> Delete:
    return delete(PostRevision).where(
        PostRevision.post_id == post_id, PostRevision.number <= oldest
    )


def _after(state: State, status: PostStatus, publish_at: datetime | None, now: datetime) -> State:
    try:
        return state.then(status, publish_at, now)
    except PublicationError as error:
        raise InvalidInputError.at("body", "publish_at", type=error.fault) from None


class PostService(Service):
    """Changes to posts, in the caller's transaction."""

    @staticmethod
    async def create(
        work: Runner,
        now: datetime,
        author_id: UUID,
        data: PostCreate,
        *,
        slug: str,
        body_html: str,
    ) -> dict[str, Any]:
        """Write a new post, whose body is rendered already; no session is needed.

        Returns:
            The values of its columns.

        Raises:
            InvalidInputError: what it says of its publication makes no sense.
            asyncpg.UniqueViolationError: of PostSlug's key, now or at the end of the transaction:
                another post has the slug.
        """
        post = data.model_dump() | {
            "id": uuid7(),
            "author_id": author_id,
            "slug": slug,
            "body_html": body_html,
            **asdict(_after(State(), data.status, data.publish_at, now)),
            "deleted_at": None,
            "revision": 1,
            "edited_at": None,
            "likes_count": 0,
            "comments_count": 0,
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }
        await _new_post.write(work, post)
        if publish_at := post["publish_at"]:
            await publish_later(work, post["id"], publish_at, now)
        if data.status == "published":
            await events.record(
                work,
                "post.published",
                at=now,
                subject_id=post["id"],
                actor_id=author_id,
                slug=slug,
                title=data.title,
            )
        return post

    async def update(
        self, author_id: UUID, id_or_slug: str, changes: PostUpdate, if_match: IfMatch
    ) -> Document:
        """Apply the given fields to the author's post; absent ones stay as they are.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            PreconditionFailedError: it has changed since the author read it.
            InvalidInputError: what it says of its publication makes no sense.
        """
        given = changes.model_dump(exclude_unset=True)
        # Before the row is locked: a long text must not hold a connection while it waits.
        body_html = await render(changes.body, author_id) if "body" in given else None
        if "status" in given:
            await self._lock_author(author_id)
        post = await self._own_for_update(author_id, id_or_slug, if_match)
        was_public, now = post.is_public, self._clock.now()
        before: dict[str, Any] = {
            "post_id": post.id,
            "number": post.revision,
            "title": post.title,
            "summary": post.summary,
            "body": post.body,
            "tags": post.tags,
            "created_at": post.edited_at or post.created_at,
        }
        for name in _CONTENT & given.keys():
            setattr(post, name, given[name])
        if self._session.is_modified(post):
            post.body_html = body_html or post.body_html
            post.revision, post.edited_at = post.revision + 1, now
            await _new_revision.write(self._session, before)
            oldest = before["number"] - MAX_REVISIONS
            await _forget_revisions.run(self._session, post_id=post.id, oldest=oldest)
        if "status" in given or "publish_at" in given:
            await self._move(post, given.get("status", post.status), changes.publish_at)
        await self._name(post, given.get("slug"), before["title"])
        if self._session.is_modified(post):
            await self._save(post, was_public=was_public)
        return await read_changed(self._session, post)

    async def delete(self, author_id: UUID, id_or_slug: str, if_match: IfMatch) -> None:
        """Put the author's post into the trash: nobody sees it any more.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            PreconditionFailedError: it has changed since the author read it.
        """
        await self._lock_author(author_id)
        post = await self._own_for_update(author_id, id_or_slug, if_match)
        was_public, post.deleted_at = post.is_public, self._clock.now()
        await self._save(post, was_public=was_public)

    async def restore(self, author_id: UUID, id_or_slug: str, if_match: IfMatch) -> Document:
        """Take the author's post out of the trash, as it was.

        Where the time to publish it has passed meanwhile, it is a draft.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            PreconditionFailedError: it has changed since the author read it.
        """
        await self._lock_author(author_id)
        post = await self._own_for_update(author_id, id_or_slug, if_match, trash=True)
        if post.deleted_at:
            post.deleted_at = None
            if post.publish_at and post.publish_at <= self._clock.now():
                post.status, post.publish_at = "draft", None
            await self._save(post, was_public=False)
        return await read_changed(self._session, post)

    async def _save(self, post: Post, *, was_public: bool) -> None:
        """Write the changed post, and tell those who wait for it, if it is or was public."""
        post.updated_at = now = self._clock.now()
        await self._session.flush()
        if was_public or post.is_public:
            await events.record(
                self._session,
                _WHAT_HAPPENED[was_public, post.is_public],
                at=now,
                subject_id=post.id,
                actor_id=post.author_id,
                slug=post.slug,
                title=post.title,
            )

    async def _move(self, post: Post, status: PostStatus, publish_at: datetime | None) -> None:
        """To the state that was asked for."""
        now = self._clock.now()
        before = State(post.status, post.published_at, post.publish_at)
        after = _after(before, status, publish_at, now)
        post.status, post.published_at, post.publish_at = (
            after.status,
            after.published_at,
            after.publish_at,
        )
        if post.publish_at and post.publish_at != before.publish_at:
            await publish_later(self._session, post.id, post.publish_at, now)

    async def _name(self, post: Post, wanted: str | None, title_before: str) -> None:
        """By the slug that was asked for, or by the title if that has changed."""
        stem = slug_stem(wanted or post.title)
        if post.slug == stem or (
            not wanted and (post.title == title_before or has_stem(post.slug, stem))
        ):
            return
        post.slug = await take_slug(self._session, stem, post.id, self._clock.now())

    async def _lock_author(self, author_id: UUID) -> None:
        """Before the post, as who deletes the account does: its count of posts may change."""
        await self._session.execute(
            select(User.id).where(User.id == author_id).with_for_update(key_share=True)
        )

    async def _own_for_update(
        self, author_id: UUID, id_or_slug: str, if_match: IfMatch, *, trash: bool = False
    ) -> Post:
        mine = [named(id_or_slug), Post.author_id == author_id]
        post = await self._session.locked(
            Post, *mine, *([] if trash else [Post.deleted_at.is_(None)])
        )
        if_match.check(post.version)
        return post
