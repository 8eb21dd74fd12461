"""Rules about following and blocking."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from src.dependencies import Service
from src.exceptions import NotFoundError
from src.users.models import User
from src.users.relationships.exceptions import OneselfError
from src.users.relationships.models import Block, Follow
from src.users.relationships.reads import visible_id


class RelationshipService(Service):
    """What one user wants of others, in the caller's transaction.

    OneselfError: it is about themselves. NotFoundError: there is nobody of that name.
    """

    async def follow(self, user_id: UUID, username: str) -> None:
        """Follow a user; who does already goes on.

        Raises:
            NotFoundError: one of the two has blocked the other.
            TooManyFollowsError: as many as one can follow.
        """
        other_id = await self._other(user_id, username, blocked=False)
        new = {"follower_id": user_id, "followed_id": other_id, "created_at": self._clock.now()}
        await self._session.execute(insert(Follow).values(new).on_conflict_do_nothing())

    async def unfollow(self, user_id: UUID, username: str) -> None:
        """Follow a user no longer."""
        other_id = await self._other(user_id, username)
        await self._end_follows((user_id, other_id))

    async def block(self, user_id: UUID, username: str) -> None:
        """See nothing of a user any more, and be seen by them as little; neither follows on."""
        other_id = await self._other(user_id, username)
        new = {"blocker_id": user_id, "blocked_id": other_id, "created_at": self._clock.now()}
        await self._session.execute(insert(Block).values(new).on_conflict_do_nothing())
        await self._end_follows((user_id, other_id), (other_id, user_id))

    async def unblock(self, user_id: UUID, username: str) -> None:
        """Be seen again, unless they have blocked one, too."""
        other_id = await self._other(user_id, username)
        await self._session.execute(
            delete(Block).where(Block.blocker_id == user_id, Block.blocked_id == other_id)
        )

    async def _other(self, user_id: UUID, username: str, *, blocked: bool = True) -> UUID:
        """The other user; neither account is deleted before the transaction ends.

        What two do about each other is done in turn: a block ends what follows came before.
        """
        name = username.lower()
        both = select(User.id, User.username).where((User.id == user_id) | (User.username == name))
        found = await self._session.execute(both.order_by(User.id).with_for_update(key_share=True))
        ids = {row.username: row.id for row in found}
        if name not in ids:
            raise NotFoundError
        if ids[name] == user_id:
            raise OneselfError
        if not blocked and not await visible_id.first(
            self._session, username=name, viewer_id=user_id
        ):
            raise NotFoundError
        other_id: UUID = ids[name]
        return other_id

    async def _end_follows(self, *pairs: tuple[UUID, UUID]) -> None:
        """In the order of their keys, as who deletes an account does."""
        for follower_id, followed_id in sorted(pairs):
            await self._session.execute(
                delete(Follow).where(
                    Follow.follower_id == follower_id, Follow.followed_id == followed_id
                )
            )
