"""Query parameters that a route would ignore: refused in the API, let through outside."""

import httpx
import pytest
from fastapi.routing import APIRoute

from src.http.problems import OAUTH_ENDPOINTS
from src.http.queries import query_names
from src.main import API_PREFIX, API_ROUTERS
from tests.openapi.test_document import sample
from tests.support import Account, Accounts, problem_of

ROUTES = [
    (method, sample(API_PREFIX + route.path), query_names(route.dependant))
    for router in API_ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
]


def refused(answer: httpx.Response) -> list[tuple[str, str]]:
    """The query parameters that were refused, and why."""
    errors = problem_of(answer, 422, "validation_error")["errors"]
    assert all(error["loc"][0] == "query" and error["msg"] for error in errors)
    return [(error["loc"][1], error["type"]) for error in errors]


@pytest.fixture
async def root(accounts: Accounts) -> Account:
    """An administrator."""
    await accounts.add("root", roles=("admin",))
    return await accounts.sign_in("root")


async def test_every_route_refuses_what_it_does_not_know(
    client: httpx.AsyncClient, root: Account, subtests: pytest.Subtests
) -> None:
    assert len(ROUTES) > 30
    for method, path, names in ROUTES:
        if path in OAUTH_ENDPOINTS:
            continue
        for headers in (root.headers, {}):
            with subtests.test(f"{method} {path} {bool(headers)}"):
                known = "&".join(f"{name}=1" for name in names)
                unknown = ("limt", "LIMIT", "utm_source")
                url = f"{path}?{known}&{'=5&'.join(unknown)}=5"
                answer = await client.request(method, url, headers=headers)
                assert refused(answer) == [(name, "unknown_field") for name in unknown]
                if names:
                    url = f"{path}?{known}&{known}"
                    answer = await client.request(method, url, headers=headers)
                    assert refused(answer) == [(name, "repeated") for name in names]


@pytest.mark.parametrize("path", ["/api/v1/posts", "/api/v1/users/root"])
async def test_head_is_judged_like_get(client: httpx.AsyncClient, root: Account, path: str) -> None:
    assert (await client.head(path, headers=root.headers)).status_code == 200
    assert (await client.head(f"{path}?x=1", headers=root.headers)).status_code == 422


async def test_a_token_in_the_query_keeps_its_own_error(
    client: httpx.AsyncClient, root: Account
) -> None:
    for path in ("/api/v1/users/me", "/api/v1/posts"):
        answer = await client.get(f"{path}?access_token={root.access_token}")
        problem_of(answer, 400, "malformed_credentials")


@pytest.mark.parametrize("path", OAUTH_ENDPOINTS)
async def test_oauth_ignores_what_it_does_not_know(client: httpx.AsyncClient, path: str) -> None:
    plain, answer = await client.post(path), await client.post(f"{path}?x=1")
    assert (answer.status_code, answer.json()["code"]) == (400, plain.json()["code"])


@pytest.mark.parametrize(
    "path",
    ["/health/live", "/.well-known/jwks.json", "/docs", "/openapi.json", "/dev/mailbox"],
)
async def test_what_others_append_to_a_page_is_ignored(
    client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.get(f"{path}?utm_source=mail&fbclid=1")).status_code == 200


async def test_a_flood_of_unknown_names_is_answered_briefly(client: httpx.AsyncClient) -> None:
    query = "&".join(f"%00name{number}=x" for number in range(1000))
    answer = await client.get(f"/api/v1/posts?{query}&{'y' * 5000}")
    assert len(problem_of(answer, 422, "validation_error")["errors"]) == 20
    assert len(answer.content) < 5000
