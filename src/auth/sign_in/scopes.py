"""The scopes of a new session."""

from src.access.permissions import SCOPES, scope_names, scopes_of
from src.auth.clients.service import Client
from src.auth.exceptions import InvalidScopeError
from src.users.models import User


def require_known(scope: str | None) -> None:
    """Refuse scopes that there are not, before anything is found out for them.

    Raises:
        InvalidScopeError: there is one.
    """
    if scope and not SCOPES.keys() >= set(scope_names(scope)):
        raise InvalidScopeError


def granted_scope(scope: str | None, user: User, client: Client) -> str:
    """Of the scopes asked for, or of all, those that the user and the client may have.

    Raises:
        InvalidScopeError: there are none.
    """
    allowed = scopes_of(user.roles)
    if client.scopes is not None:
        allowed &= client.scopes
    asked = dict.fromkeys(scope_names(scope)) if scope else SCOPES
    granted = [name for name in asked if name in allowed]
    if not granted:
        raise InvalidScopeError
    return " ".join(granted)
