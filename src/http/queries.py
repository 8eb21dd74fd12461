"""One rule for query parameters: what would be ignored is refused.

A misspelt filter would otherwise answer as if it were not there, and so would the first of two.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import _get_param_aliases, get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import _get_scope_effective_route_context
from starlette.datastructures import QueryParams

from src.http.problems import OAUTH_ENDPOINTS

ACCESS_TOKEN = "access_token"  # src.access.principals refuses it, with RFC 6750's error


def query_names(dependant: Dependant) -> frozenset[str]:
    """The query parameters of a route and of all that it depends on."""
    own = get_flat_params(Dependant(query_params=dependant.query_params))  # models flattened
    needed = map(query_names, dependant.dependencies)
    names = (name for field in own for name, _ in _get_param_aliases(field))
    return frozenset(names).union(*needed)


def ignored_parameters(query: QueryParams, known: Collection[str]) -> list[dict[str, Any]]:
    """An error, as pydantic has them, for each parameter that is not known or comes twice."""
    counts = Counter(name for name, _ in query.multi_items())
    return [
        {
            "type": "repeated" if name in known else "extra_forbidden",
            "loc": ("query", name),
            "msg": "",  # the words of a type are found when it is told
        }
        for name, count in counts.items()
        if name not in known or count > 1
    ]


async def refuse_ignored_query(request: Request) -> None:
    """Let each query parameter of the route through once, and no other.

    OAuth's endpoints ignore what they do not know (RFC 6749, section 3.2).

    Raises:
        RequestValidationError: there is more.
    """
    if not request.scope["query_string"] or request.scope["path"].endswith(OAUTH_ENDPOINTS):
        return
    if ACCESS_TOKEN in request.query_params:
        return
    # What the route has where it is included, other dependencies among it.
    route = _get_scope_effective_route_context(request.scope) or request.scope["route"]
    known = query_names(route.dependant)
    if errors := ignored_parameters(request.query_params, known):
        raise RequestValidationError(errors)
