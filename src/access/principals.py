"""Who is calling: bearer tokens (RFC 6750) and the scopes they carry.

The core knows only that some authenticator turns a token into a `Principal`; src.auth provides it.
"""

from typing import Annotated, ClassVar, NamedTuple, Protocol, cast
from uuid import UUID

from fastapi import Request, Security
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from starlette.requests import HTTPConnection

from src.access.permissions import SCOPES
from src.exceptions import AppError
from src.limits.rate_limits import count_account
from src.sql.shapes import Document

TOKEN_URL = "/api/v1/auth/token"
_STATE = "principal"


class Principal(NamedTuple):
    """The caller: the user's own document, and what the token lets them do now.

    A personal access token belongs to no session.
    """

    user_id: UUID
    session_id: UUID | None
    scopes: frozenset[str]
    user: Document


class SessionPrincipal(NamedTuple):
    """The caller of a session: somebody who has signed in themselves."""

    user_id: UUID
    session_id: UUID
    scopes: frozenset[str]
    user: Document


class Authenticator(Protocol):
    """Turns one kind of bearer token into the caller."""

    async def authenticate(self, token: str) -> Principal:
        """The caller, now.

        Raises:
            InvalidTokenError: the token is not ours, has ended, or its session or user has.
            OverloadedError, DatabaseUnavailableError: nobody can say now.
        """


class NotAuthenticatedError(AppError):
    """No credentials: a bare challenge (RFC 6750, section 3.1)."""

    status = 401
    code = "not_authenticated"
    title = "Sign in first"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class _BearerError(AppError):
    error: ClassVar[str]

    def __init__(self, detail: str, **challenge: str) -> None:
        parameters = {"error": self.error, "error_description": detail, **challenge}
        header = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())
        super().__init__(detail, headers={"WWW-Authenticate": header})


class InvalidTokenError(_BearerError):
    """The token is malformed, expired, revoked or meant for something else."""

    status = 401
    code = "invalid_access_token"
    error = "invalid_token"
    title = "The access token is not valid"

    def __init__(self) -> None:
        super().__init__("The access token is malformed, expired or revoked")


class InvalidRequestError(_BearerError):
    """The token came in more than one way, or where it may be logged (RFC 6750, section 3.1)."""

    status = 400
    code = "malformed_credentials"
    error = "invalid_request"
    title = "The credentials are not given as they should be"


class InsufficientScopeError(_BearerError):
    """The token is good but was not given for this."""

    status = 403
    code = error = "insufficient_scope"
    title = "The access token does not allow this"

    def __init__(self, scope: str) -> None:
        super().__init__("The access token lacks a scope", scope=scope)


class SessionRequiredError(_BearerError):
    """A personal access token where somebody has to have signed in themselves."""

    status = 403
    error = "insufficient_scope"
    code = "session_required"
    title = "Sign in for this: a personal access token is not enough"

    def __init__(self) -> None:
        super().__init__("This needs the access token of a session")


class BearerToken(OAuth2PasswordBearer):
    """Reads the bearer token, and describes it in the OpenAPI document."""

    async def __call__(self, request: HTTPConnection) -> str | None:
        """The token, or None when the request carries no credentials.

        Raises:
            InvalidRequestError: two Authorization headers, or a token in the query.
            NotAuthenticatedError: credentials of another kind.
        """
        if b"access_token=" in request.scope["query_string"]:
            raise InvalidRequestError("Send the access token in the Authorization header only")
        values = [value for name, value in request.scope["headers"] if name == b"authorization"]
        if not values:
            return None
        if len(values) > 1:
            raise InvalidRequestError("Send one Authorization header")
        scheme, _, token = cast("bytes", values[0]).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticatedError
        return token.strip(" ")


bearer_token = BearerToken(tokenUrl=TOKEN_URL, scopes=dict(SCOPES), auto_error=False)


async def optional_principal(
    request: Request, token: Annotated[str | None, Security(bearer_token)]
) -> Principal | None:
    """The caller, or None without credentials; wrong credentials are refused all the same.

    FastAPI calls this once for each set of scopes that a route asks for: the first finds out.

    Raises:
        RateLimitedError: the caller's account sends too many requests.
        InvalidTokenError, OverloadedError, DatabaseUnavailableError: as `Authenticator` does.
    """
    if token is None:
        return None
    state = request.scope["state"]
    if found := state.get(_STATE):
        return cast("Principal", found)
    # By the beginning of the token, the last for all others.
    authenticators: list[tuple[str, Authenticator]] = request.app.state.authenticators
    for prefix, authenticator in authenticators:
        if token.startswith(prefix):
            principal = await authenticator.authenticate(token)
            await count_account(request.scope, principal.user_id)
            state[_STATE] = principal
            return principal
    raise InvalidTokenError


OptionalPrincipal = Annotated[Principal | None, Security(optional_principal)]


async def current_principal(required: SecurityScopes, principal: OptionalPrincipal) -> Principal:
    """The caller, whose token carries every scope that the route asks for."""
    return require(principal, *required.scopes)


async def session_principal(
    principal: Annotated[Principal, Security(current_principal)],
) -> SessionPrincipal:
    """The caller of a session.

    Raises:
        SessionRequiredError: they came with a personal access token.
    """
    if principal.session_id is None:
        raise SessionRequiredError
    return SessionPrincipal(
        principal.user_id, principal.session_id, principal.scopes, principal.user
    )


async def session_principal_or_refusal(
    request: Request, token: Annotated[str | None, Security(bearer_token)]
) -> SessionPrincipal | NotAuthenticatedError | InvalidTokenError:
    """The caller of a session, or why there is none: for a route that has another way to know them.

    Raises:
        SessionRequiredError: they came with a personal access token.
    """
    try:
        return await session_principal(require(await optional_principal(request, token)))
    except (NotAuthenticatedError, InvalidTokenError) as refusal:
        return refusal


def require(principal: Principal | None, *scopes: str) -> Principal:
    """The caller, if there is one and their token carries the scopes.

    Raises:
        NotAuthenticatedError: there is none.
        InsufficientScopeError: the token lacks a scope.
    """
    if principal is None:
        raise NotAuthenticatedError
    if not principal.scopes.issuperset(scopes):
        raise InsufficientScopeError(" ".join(scopes))
    return principal
