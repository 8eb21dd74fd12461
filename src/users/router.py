"""Users over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import TypeAdapter, ValidationError

from src.access.principals import OptionalPrincipal, require
from src.dependencies import ClockDep, ReadsDep, SettingsDep
from src.http.peer import PeerDep
from src.http.responses import DocumentResponse, IfMatchDep, versioned
from src.limits.rate_limits import count_lookup
from src.schemas import canonical_uuid
from src.users import service
from src.users.dependencies import ProfileReader, ProfileWriter, UserServiceDep
from src.users.profiles import read_profile
from src.users.schemas import (
    MAX_PROFILE_BYTES,
    ManagedUser,
    Username,
    UsernameAvailability,
    UserProfile,
    UserRead,
    UserUpdate,
)
from src.users.usernames import obstacle

router = APIRouter(tags=["users"])

_username: TypeAdapter[str] = TypeAdapter(Username)


@router.get("/usernames/{username}", response_model=UsernameAvailability)
async def check_username(
    request: Request,
    username: Annotated[str, Path(max_length=200, examples=["ann"])],
    reads: ReadsDep,
    settings: SettingsDep,
    clock: ClockDep,
    peer: PeerDep,
) -> Response:
    """Find out whether a username can be taken now, for forms.

    A registration holds none before it is confirmed: `requested_username` of your own account says
    whether somebody was faster.
    """
    await count_lookup(request.scope, peer.network)
    reason: str | None
    try:
        written = _username.validate_python(username)
    except ValidationError:
        reason = "invalid"
    else:
        reason = await obstacle(reads, written, settings.reserved_usernames, clock.now())
    document = {"available": reason is None, "reason": reason}
    return DocumentResponse(document, headers={"Cache-Control": "no-store"})


@router.get("/users/me", response_model=UserRead)
async def get_me(request: Request, me: ProfileReader) -> Response:
    """Get your own account. What signing in with `include=user` answers is the same."""
    return versioned(request, me.user)


@router.patch("/users/me", response_model=UserRead, max_body_size=MAX_PROFILE_BYTES)
async def update_me(
    request: Request,
    me: ProfileWriter,
    changes: UserUpdate,
    if_match: IfMatchDep,
    users: UserServiceDep,
) -> Response:
    """Change your own profile. `If-Match` guards against a change made meanwhile."""
    user = await users.update(me.user_id, changes, if_match)
    return versioned(request, service.ACCOUNT.of_entity(user))


# One operation, since one path has no two: a username is too short to be an id.
@router.get("/users/{user}", response_model=UserProfile | ManagedUser)
async def get_user(
    request: Request,
    user: Annotated[
        str, Path(max_length=64, description="The username, or the id", examples=["ann"])
    ],
    viewer: OptionalPrincipal,
    reads: ReadsDep,
) -> Response:
    """Get a user's public profile by the username.

    By the id it is the account, for those who have `users:manage`.
    """
    if user_id := canonical_uuid(user):
        require(viewer, "users:manage")
        account = await service.read_managed(reads, user_id)
        return versioned(request, account)
    profile = await read_profile(reads, user, viewer.user_id if viewer else None)
    if viewer and "follows:read" not in viewer.scopes:
        profile["following"] = False
    return DocumentResponse(profile)
