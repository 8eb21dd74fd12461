"""Security schemes that the document names, and that the routes see to themselves."""

from typing import Any

from fastapi.openapi.models import SecurityBase as Model
from fastapi.security.base import SecurityBase

# The `openapi_extra` of a route that does without the scheme, too.
OPTIONAL: dict[str, Any] = {"security": [{}]}


class Scheme(SecurityBase):
    """Among the dependencies of a route, `Security(Scheme(…))` does nothing but to be named."""

    def __init__(self, name: str, model: Model) -> None:
        self.scheme_name = name
        self.model = model

    async def __call__(self) -> None:
        """Let every request through."""
