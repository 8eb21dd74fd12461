"""Rules about likes and bookmarks."""

from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, or_, select
from sqlalchemy.dialects.postgresql import insert

from src.dependencies import Service
from src.exceptions import NotFoundError
from src.posts.models import Post
from src.posts.reactions.models import Bookmark, Like
from src.posts.reads import named, visible_to
from src.users.models import User


class ReactionService(Service):
    """Gives and takes back one user's likes and bookmarks, in the caller's transaction."""

    async def give(self, reaction: type[Like | Bookmark], user_id: UUID, id_or_slug: str) -> None:
        """Like or bookmark a post; one that is there already stays as it is.

        Raises:
            NotFoundError: there is no such post, or the user does not see it.
        """
        post_id = await self._lock(user_id, id_or_slug, visible_to(user_id))
        await self._session.execute(
            insert(reaction)
            .values(post_id=post_id, user_id=user_id, created_at=self._clock.now())
            .on_conflict_do_nothing()
        )

    async def take_back(
        self, reaction: type[Like | Bookmark], user_id: UUID, id_or_slug: str
    ) -> None:
        """Take back a like or bookmark, if there is one, whatever has become of the post since.

        Raises:
            NotFoundError: there is no such post, or none that the user sees or has reacted to.
        """
        given = exists().where(reaction.post_id == Post.id, reaction.user_id == user_id)
        post_id = await self._lock(user_id, id_or_slug, or_(visible_to(user_id), given))
        await self._session.execute(
            delete(reaction).where(reaction.post_id == post_id, reaction.user_id == user_id)
        )

    async def _lock(self, user_id: UUID, id_or_slug: str, condition: ColumnElement[bool]) -> UUID:
        """Lock the user and then the post, as who deletes the account does."""
        await self._session.execute(
            select(User.id).where(User.id == user_id).with_for_update(read=True, key_share=True)
        )
        post_id = await self._session.scalar(
            select(Post.id).where(named(id_or_slug), condition).with_for_update(key_share=True)
        )
        if post_id is None:
            raise NotFoundError
        return post_id
