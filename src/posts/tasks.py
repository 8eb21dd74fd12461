"""What happens to posts without being asked: they are published on time, and leave the trash."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, select, update

from src.events import log as events
from src.jobs.tasks import JobContext, Schedule, Task
from src.posts.life import TRASH_KEPT
from src.posts.models import Post
from src.sql.statements import Runner
from src.users.models import User

DELETED_AT_ONCE = 100


class ScheduledPost(BaseModel):
    """A post and the time at which it was to be published when the job was added."""

    post_id: UUID
    publish_at: datetime


async def publish_later(work: Runner, post_id: UUID, publish_at: datetime, now: datetime) -> None:
    """Have the post published at that time, if the transaction is committed."""
    payload = ScheduledPost(post_id=post_id, publish_at=publish_at)
    await publish.enqueue(work, payload, delay=publish_at - now)


async def _publish(context: JobContext, payload: ScheduledPost) -> None:
    """Publish the post, unless it was taken back, moved to another time or deleted."""
    now = context.clock.now()
    async with context.database.independent_transaction() as session:
        if payload.publish_at > now:  # the database's clock is ahead of ours
            await publish_later(session, payload.post_id, payload.publish_at, now)
            return
        # The author first, as everywhere: their count of posts changes.
        author = select(Post.author_id).where(Post.id == payload.post_id).scalar_subquery()
        await session.execute(
            select(User.id).where(User.id == author).with_for_update(key_share=True)
        )
        found = await session.execute(
            update(Post)
            .where(
                Post.id == payload.post_id,
                Post.status == "scheduled",
                Post.publish_at == payload.publish_at,
                Post.deleted_at.is_(None),
            )
            .values(
                status="published",
                published_at=Post.publish_at,
                publish_at=None,
                updated_at=now,
                version=Post.version + 1,
            )
            .returning(Post.author_id, Post.slug, Post.title)
            .execution_options(synchronize_session=False)
        )
        if post := found.one_or_none():
            await events.record(
                session,
                "post.published",
                at=now,
                subject_id=payload.post_id,
                actor_id=post.author_id,
                slug=post.slug,
                title=post.title,
            )


async def _empty_trash(context: JobContext) -> None:
    """Delete what has been in the trash for long, a few at a time."""
    oldest = context.clock.now() - TRASH_KEPT
    some = (
        select(Post.id)
        .where(Post.deleted_at <= oldest)
        .order_by(Post.deleted_at, Post.id)
        .limit(DELETED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    deleted = True
    while deleted:
        async with context.database.independent_transaction() as session:
            gone = await session.scalars(
                delete(Post)
                .where(Post.id.in_(some))
                .returning(Post.id)
                .execution_options(synchronize_session=False)
            )
            deleted = bool(gone.all())


publish = Task("posts.publish", ScheduledPost, _publish)
TASKS = [publish]
SCHEDULES = [Schedule("posts.empty_trash", "23 * * * *", _empty_trash)]
