"""Rules about comments."""

from uuid import UUID

from sqlalchemy import delete, or_, select

from src.comments.models import MAX_DEPTH, Comment
from src.comments.schemas import CommentCreate
from src.dependencies import Service
from src.events import log as events
from src.events.kinds import Kind
from src.exceptions import InvalidInputError, NotFoundError
from src.http.responses import IfMatch
from src.ids import uuid7
from src.posts.models import Post
from src.posts.reads import named, visible_to
from src.posts.text.rendering import render
from src.users.models import User
from src.users.relationships.reads import not_blocked


class CommentService(Service):
    """Changes to comments. NotFoundError: there is none, or it is not the user's to change."""

    async def create(
        self, author_id: UUID, id_or_slug: str, data: CommentCreate, body_html: str
    ) -> UUID:
        """Comment on a post that is published, or on a comment of it; its text is rendered already.

        Raises:
            NotFoundError: there is no such post, or the author does not see it.
            InvalidInputError: there is no such comment on it, or it has no room for replies.
        """
        # The author, the post, the comment above: in the order of who deletes the account.
        await self._session.execute(
            select(User.id).where(User.id == author_id).with_for_update(read=True, key_share=True)
        )
        post_id = await self._session.scalar(
            select(Post.id)
            .where(named(id_or_slug), Post.status == "published", visible_to(author_id))
            .with_for_update(read=True, key_share=True)
        )
        if post_id is None:
            raise NotFoundError
        now = self._clock.now()
        comment = Comment(
            id=uuid7(),
            post_id=post_id,
            parent_id=data.parent_id,
            depth=await self._depth(author_id, post_id, data.parent_id),
            author_id=author_id,
            body=data.body,
            body_html=body_html,
            created_at=now,
            updated_at=now,
        )
        await self._session.insert(comment)
        await self._tell("comment.created", comment)
        return comment.id

    async def update(self, author_id: UUID, comment_id: UUID, body: str, if_match: IfMatch) -> None:
        """Change the author's comment.

        Raises:
            PreconditionFailedError: it has changed since the author read it.
            InvalidInputError: the text shows nothing.
        """
        body_html = await render(body, author_id)
        comment = await self._session.locked(
            Comment, Comment.id == comment_id, Comment.author_id == author_id
        )
        if_match.check(comment.version)
        if comment.body != body:
            comment.body, comment.body_html = body, body_html
            comment.edited_at = comment.updated_at = self._clock.now()
            await self._session.flush()
            await self._tell("comment.updated", comment)

    async def delete(self, user_id: UUID, comment_id: UUID, if_match: IfMatch) -> None:
        """Delete a comment that the user wrote, or that is on their post.

        Where there are replies, its place stays; so do those above it only as long.

        Raises:
            PreconditionFailedError: it has changed since the user read it.
        """
        post_id = await self._session.scalar(
            select(Comment.post_id).where(Comment.id == comment_id)
        )
        # All that are deleted from one post are so in turn.
        await self._session.execute(
            select(Post.id).where(Post.id == post_id).with_for_update(key_share=True)
        )
        comment = await self._session.scalar(
            select(Comment)
            .join(Post, Post.id == Comment.post_id)
            .where(
                Comment.id == comment_id,
                Comment.deleted_at.is_(None),
                or_(Comment.author_id == user_id, Post.author_id == user_id),
            )
            .with_for_update(of=Comment)  # nobody replies to it meanwhile
        )
        if comment is None:
            raise NotFoundError
        if_match.check(comment.version)
        await self._tell("comment.removed", comment)
        comment.author_id, comment.body, comment.body_html = None, "", ""
        comment.deleted_at = comment.updated_at = self._clock.now()
        await self._session.flush()
        await self._clear(comment.post_id, comment.id)

    async def _clear(self, post_id: UUID, comment_id: UUID | None) -> None:
        """Delete the comment and those above it that are deleted, up to one that has replies."""
        while comment_id:
            lonely = await self._session.scalar(
                select(Comment.id)
                .where(Comment.id == comment_id, Comment.deleted_at.is_not(None))
                .with_for_update()
            )
            reply = select(Comment.id).where(
                Comment.post_id == post_id, Comment.parent_id == comment_id
            )
            if lonely is None or await self._session.scalar(reply.limit(1)):
                return
            comment_id = await self._session.scalar(
                delete(Comment)
                .where(Comment.id == comment_id)
                .returning(Comment.parent_id)
                .execution_options(synchronize_session=False)
            )

    async def _depth(self, author_id: UUID, post_id: UUID, parent_id: UUID | None) -> int:
        if parent_id is None:
            return 0
        depth: int | None = await self._session.scalar(
            select(Comment.depth)
            .where(
                Comment.post_id == post_id,
                Comment.id == parent_id,
                Comment.deleted_at.is_(None),
                not_blocked(Comment.author_id, author_id),
            )
            .with_for_update(read=True, key_share=True)
        )
        if depth is None:
            raise InvalidInputError.at("body", "parent_id", type="comment_unknown")
        if depth == MAX_DEPTH:
            raise InvalidInputError.at("body", "parent_id", type="comment_too_deep")
        return depth + 1

    async def _tell(self, kind: Kind, comment: Comment) -> None:
        await events.record(
            self._session,
            kind,
            at=self._clock.now(),
            subject_id=comment.id,
            actor_id=comment.author_id,
            post_id=str(comment.post_id),
            parent_id=comment.parent_id and str(comment.parent_id),
        )
