"""What one may do: scopes, and the permissions that roles give. HTTP and sockets share them.

A scope narrows what a token may do, and none includes another: a route that changes something asks
for the scope that reads it too, unless nothing in its answers, refusals included, tells of more
than the request brought. Those of `PERMISSIONS` are granted only to users with a role
that has them, and hold only while the user has it.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from typing_extensions import TypeAliasType

PERMISSIONS: Mapping[str, str] = {
    "users:manage": "Manage users, their roles and sessions",
    "audit:read": "Read the audit log",
    "webhooks:manage": "Manage webhooks, and see their secrets and what they are sent",
}
OWN_SCOPES: Mapping[str, str] = {
    "profile:read": "Read your own account",
    "profile:write": "Change your own profile",
    "posts:read": "Read your own drafts, likes and bookmarks",
    "comments:write": "Write, change and delete your own comments",
    "follows:read": "See whom you follow and block",
    "follows:write": "Follow and block people",
    "posts:write": "Write, change and delete your own posts, like and bookmark posts",
}
SCOPES: Mapping[str, str] = {**OWN_SCOPES, **PERMISSIONS}
# What a program may do by its own id and secret; no user's token carries these.
CLIENT_SCOPES: Mapping[str, str] = {
    "tokens:introspect": "Ask whose a token is and whether it is valid",
}

Role = TypeAliasType("Role", Literal["admin", "moderator"])
ADMIN: Role = "admin"
ROLES: Mapping[str, frozenset[str]] = {
    ADMIN: frozenset(PERMISSIONS),
    "moderator": frozenset(),
}

_OWN = frozenset(OWN_SCOPES)
# What it takes to see what tells of everything that somebody has done.
OWN_READS = frozenset(scope for scope in OWN_SCOPES if scope.endswith(":read"))


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """Every scope that a user with these roles may have; a role that is not known gives none."""
    return _OWN.union(*(ROLES.get(role, ()) for role in roles))


def scope_names(scope: str) -> list[str]:
    """What a `scope` parameter asks for: names between spaces, and nothing else (RFC 6749, 3.3)."""
    return [name for name in scope.split(" ") if name]


def kept(granted: str, allowed: frozenset[str]) -> str:
    """Of the scopes granted, those that are still allowed."""
    return " ".join(scope for scope in granted.split() if scope in allowed)
