"""Users over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from src.database import ReadsDep
from src.responses import DocumentResponse, IfMatchDep, versioned
from src.schemas import CANONICAL_UUID
from src.security import OptionalPrincipal, require
from src.users import service
from src.users.dependencies import ProfileReader, ProfileWriter, UserServiceDep
from src.users.schemas import MAX_PROFILE_BYTES, ManagedUser, UserProfile, UserRead, UserUpdate

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/me", response_model=UserRead)
async def read_me(request: Request, me: ProfileReader) -> Response:
    """One's own account."""
    return versioned(request, me.user, me.user["version"])


@router.patch("/me", response_model=UserRead, max_body_size=MAX_PROFILE_BYTES)
async def update_me(
    request: Request,
    me: ProfileWriter,
    changes: UserUpdate,
    if_match: IfMatchDep,
    users: UserServiceDep,
) -> Response:
    """Change one's own profile; `If-Match` guards against a change made meanwhile."""
    user = await users.update(me.user_id, changes, if_match)
    return versioned(request, service.ACCOUNT.of_entity(user), user.version)


# One operation, since one path has no two: a username is too short to be an id.
@router.get("/{user}", response_model=UserProfile | ManagedUser)
async def read_user(
    request: Request,
    user: Annotated[str, Path(max_length=64, description="The username, or the id")],
    viewer: OptionalPrincipal,
    reads: ReadsDep,
) -> Response:
    """A user's public profile by his username; his account by the id, with `users:manage`."""
    if CANONICAL_UUID.fullmatch(user):
        require(viewer, "users:manage")
        account = await service.read_managed(reads, user)
        return versioned(request, account, account["version"])
    return DocumentResponse(await service.read_profile(reads, user))
