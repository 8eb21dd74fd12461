"""The OpenAPI document: the one that is kept in docs/, without duplicates, with its problems."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from src.config import PROJECT_ROOT, Settings
from src.http.problems import OAUTH_ENDPOINTS
from src.main import create_app

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
Operation = dict[str, Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The application, which here needs no database."""
    data_dir = tmp_path_factory.mktemp("data")
    return create_app(Settings(_env_file=None, environment="test", data_dir=data_dir))


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    """Its document."""
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    """Every operation by a name to recognise it by."""
    for path, item in document["paths"].items():
        for method in item.keys() & METHODS:
            yield f"{method.upper()} {path}", item[method]


def sample(path: str) -> str:
    """The path with an id of nothing for every parameter."""
    return re.sub(r"\{[\w:]+\}", "01890000-0000-7000-8000-000000000000", path)


def test_the_kept_document_is_the_newest(document: dict[str, Any]) -> None:
    kept = json.loads((PROJECT_ROOT / "docs/openapi.json").read_text())
    assert kept == json.loads(json.dumps(document)), "run `make openapi` and read what changed"


def test_the_document_does_not_depend_on_the_settings(
    document: dict[str, Any], tmp_path: Path
) -> None:
    settings = Settings(
        _env_file=None,
        environment="local",
        data_dir=tmp_path,
        public_url="https://plaza.test",
        cors_origins=["https://app.test"],
    )
    assert create_app(settings).openapi() == document


def test_no_method_and_path_is_declared_twice(app: FastAPI) -> None:
    declared = Counter(
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
    )
    assert len(declared) > 20
    assert [name for name, times in declared.items() if times > 1] == []


def test_no_path_has_a_method_by_chance(app: FastAPI) -> None:
    """As DELETE of a route with a parameter would be that of a literal path without one."""
    routes = [route for route in iter_route_contexts(app.routes) if route.path and route.methods]
    meant: defaultdict[str, set[str]] = defaultdict(set)
    for route in routes:
        meant[sample(route.path or "")] |= route.methods or set()
    for path, methods in meant.items():
        for route in routes:
            if compile_path(route.path or "")[0].match(path):
                assert (route.methods or set()) <= methods, f"{path} is {route.path}"


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    ids = Counter(operation["operationId"] for _, operation in operations(document))
    assert [name for name, times in ids.items() if times > 1] == []


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        summary = operation["summary"]
        assert summary, name
        assert summary == summary.strip(), name
        assert operation.get("description"), name
        assert operation.get("tags"), name


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        errors = {
            status: answer
            for status, answer in operation["responses"].items()
            if status == "default" or status[0] in "45"
        }
        assert errors, name
        is_oauth = name.endswith(OAUTH_ENDPOINTS)
        expected = "application/json" if is_oauth else "application/problem+json"
        for status, answer in errors.items():
            assert set(answer["content"]) == {expected}, f"{name} {status}"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_who_needs_a_token_says_so(document: dict[str, Any]) -> None:
    secured = {name: operation.get("security") for name, operation in operations(document)}
    assert secured["POST /api/v1/posts"] == [{"BearerToken": ["posts:write"]}]
    assert secured["GET /api/v1/users/me"] == [{"BearerToken": ["profile:read"]}]
    assert secured["POST /api/v1/auth/token"] is None
    [flow] = document["components"]["securitySchemes"]["BearerToken"]["flows"].values()
    assert flow["tokenUrl"] == "/api/v1/auth/token"
    used = {
        scope
        for security in secured.values()
        for requirement in security or ()
        for scope in requirement.get("BearerToken", ())
    }
    assert used <= set(flow["scopes"])


def test_what_is_local_is_not_in_it(document: dict[str, Any]) -> None:
    assert [path for path in document["paths"] if path.startswith(("/dev", "/docs"))] == []
