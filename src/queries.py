"""One rule for query parameters: what a route does not know is refused, not ignored.

A misspelt filter would otherwise answer as if it were not there.
"""

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError

from src.exceptions import OAUTH_ENDPOINTS

ACCESS_TOKEN = "access_token"  # src.security refuses it, with RFC 6750's error


def query_names(dependant: Dependant) -> frozenset[str]:
    """The query parameters of a route and of all that it depends on."""
    own = get_flat_params(Dependant(query_params=dependant.query_params))  # models flattened
    needed = map(query_names, dependant.dependencies)
    return frozenset(parameter.alias for parameter in own).union(*needed)


async def refuse_unknown_query(request: Request) -> None:
    """Let only query parameters of the route through.

    OAuth's endpoints ignore what they do not know (RFC 6749, section 3.2).

    Raises:
        RequestValidationError: there are others.
    """
    if not request.scope["query_string"] or request.scope["path"].endswith(OAUTH_ENDPOINTS):
        return
    if ACCESS_TOKEN in request.query_params:
        return
    known = query_names(request.scope["route"].dependant)
    errors = [
        {"type": "extra_forbidden", "loc": ("query", name), "msg": "Extra inputs are not permitted"}
        for name in request.query_params
        if name not in known
    ]
    if errors:
        raise RequestValidationError(errors)
