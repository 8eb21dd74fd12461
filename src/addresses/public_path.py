"""The path of PUBLIC_URL: a proxy in front strips it from what it passes on.

What the server says of its own addresses has it; routes do not.
"""

from starlette.types import Scope


def public_path(scope: Scope) -> str:
    """That path, such as `/plaza`; empty without one."""
    path: str = scope["state"]["public_path"]
    return path


def path_of(scope: Scope) -> str:
    """The path of a request, as its sender wrote it."""
    path: str = scope["path"]
    return public_path(scope) + path
