"""Following and blocking over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, Security

from src.access.principals import OptionalPrincipal, Principal, current_principal
from src.dependencies import ReadsDep, provides
from src.exceptions import NotFoundError
from src.pagination import PageDep, PageQuery, page_response
from src.schemas import Page
from src.sql.listing import Listing
from src.sql.pool import Pool
from src.users.relationships.reads import BLOCKED, FOLLOWERS, FOLLOWING, visible_id
from src.users.relationships.schemas import UserSummary
from src.users.relationships.service import RelationshipService
from src.users.schemas import MAX_USERNAME_LENGTH

router = APIRouter(prefix="/users", tags=["users"])

Relationships = Annotated[RelationshipService, provides(RelationshipService)]
Name = Annotated[str, Path(max_length=2 * MAX_USERNAME_LENGTH, examples=["ann"])]
# Both: what is refused tells who has blocked whom.
Follower = Annotated[
    Principal, Security(current_principal, scopes=["follows:read", "follows:write"])
]
FollowReader = Annotated[Principal, Security(current_principal, scopes=["follows:read"])]


@router.get("/me/blocks", response_model=Page[UserSummary])
async def list_blocks(
    request: Request, me: FollowReader, page: PageDep, reads: ReadsDep
) -> Response:
    """List whom you have blocked, the latest first."""
    return page_response(request, page, await BLOCKED.page(reads, page, blocker_id=me.user_id))


@router.put("/{username}/follow", status_code=204, response_class=Response)
async def follow_user(username: Name, me: Follower, relationships: Relationships) -> None:
    """Follow a user. `GET /feed` has what they publish."""
    await relationships.follow(me.user_id, username)


@router.delete("/{username}/follow", status_code=204, response_class=Response)
async def unfollow_user(username: Name, me: Follower, relationships: Relationships) -> None:
    """Follow a user no longer."""
    await relationships.unfollow(me.user_id, username)


@router.put("/{username}/block", status_code=204, response_class=Response)
async def block_user(username: Name, me: Follower, relationships: Relationships) -> None:
    """Block a user: you do not see, follow or comment on one another any more."""
    await relationships.block(me.user_id, username)


@router.delete("/{username}/block", status_code=204, response_class=Response)
async def unblock_user(username: Name, me: Follower, relationships: Relationships) -> None:
    """Unblock a user. Neither follows the other again by that."""
    await relationships.unblock(me.user_id, username)


@router.get("/{username}/followers", response_model=Page[UserSummary])
async def list_followers(
    request: Request, username: Name, viewer: OptionalPrincipal, page: PageDep, reads: ReadsDep
) -> Response:
    """List who follows a user, the latest first."""
    return await _page(request, FOLLOWERS, username, viewer, page, reads)


@router.get("/{username}/following", response_model=Page[UserSummary])
async def list_following(
    request: Request, username: Name, viewer: OptionalPrincipal, page: PageDep, reads: ReadsDep
) -> Response:
    """List whom a user follows, the latest first."""
    return await _page(request, FOLLOWING, username, viewer, page, reads)


async def _page(
    request: Request,
    people: Listing[...],
    username: str,
    viewer: Principal | None,
    page: PageQuery,
    reads: Pool,
) -> Response:
    viewer_id = viewer.user_id if viewer else None
    found = await visible_id.first(reads, username=username.lower(), viewer_id=viewer_id)
    if found is None:
        raise NotFoundError
    listed = await people.page(reads, page, user_id=found[0], viewer_id=viewer_id)
    return page_response(request, page, listed)
