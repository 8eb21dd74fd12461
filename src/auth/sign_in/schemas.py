"""What travels about sign-ins of same-site browsers."""

from typing import Annotated, Literal

from pydantic import Field

from src.schemas import Output
from src.users.schemas import UserRead


class WebTokenRead(Output):
    """A token response whose refresh token is in a cookie."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: Annotated[int, Field(description="Seconds until the access token expires")]
    scope: str


class WebSessionRead(WebTokenRead):
    """The same with the account of `GET /users/me`; null if the scopes do not allow to read it."""

    user: UserRead | None
