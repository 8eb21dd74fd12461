"""What travels about sign-ins of same-site browsers."""

from typing import Literal

from src.auth.schemas import AccessToken, ExpiresIn, GrantedScope
from src.schemas import Output
from src.users.schemas import UserRead


class CookieTokenRead(Output):
    """A token response whose refresh token is in a cookie."""

    access_token: AccessToken
    token_type: Literal["bearer"] = "bearer"
    expires_in: ExpiresIn
    scope: GrantedScope


class CookieSessionRead(CookieTokenRead):
    """The same with the account of `GET /users/me`; null if the scopes do not allow to read it."""

    user: UserRead | None
