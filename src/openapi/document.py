"""The OpenAPI document: FastAPI's, with our own form of errors."""

from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field

from src.access.principals import current_principal, optional_principal
from src.http.problems import OAUTH_ENDPOINTS
from src.openapi.examples import add_examples
from src.validation.settings import validating_with

PROBLEM = "#/components/schemas/Problem"
FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")


class InvalidValue(BaseModel):
    """What is wrong with one value; the value itself is not repeated."""

    loc: list[str | int] = Field(description="Where it is, such as body, title")
    msg: str
    type: str


class Problem(BaseModel):
    """A problem document (RFC 9457). `code` is stable, `title` and `detail` are for people."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str | None = None
    instance: str
    code: str
    request_id: str
    errors: list[InvalidValue] | None = Field(None, description="With status 422")
    error: str | None = Field(None, description="At OAuth's endpoints (RFC 6749, section 5.2)")
    error_description: str | None = Field(None, description="With some of them")
    mfa_token: str | None = Field(None, description="With mfa_required, for the second step")
    expires_in: int | None = Field(None, description="The seconds for which it holds")


def install(app: FastAPI) -> None:
    """Describe every error of every operation as a problem document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            with validating_with(app.state.settings):  # it says which limits are set
                app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = document["components"]["schemas"]
    for name in FASTAPI_ERRORS:
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs"), "Problem": problem}
    for path, operations in document["paths"].items():
        media_type = "application/json" if path in OAUTH_ENDPOINTS else "application/problem+json"
        answer = {
            "description": "An error, as a problem document",
            "content": {media_type: {"schema": {"$ref": PROBLEM}}},
        }
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = answer
            operation["summary"] = operation["summary"].strip()  # that of list_ ends in a blank
    for route in iter_route_contexts(app.routes):
        if isinstance(route.route, APIRoute) and _is_open_to_all(route.route.dependant):
            for method in route.methods or ():
                document["paths"][route.path_format][method.lower()]["security"].append({})
    add_examples(document)
    if path := app.state.settings.public_path:
        document["servers"] = [{"url": path}]
        for scheme in document["components"]["securitySchemes"].values():
            for flow in scheme["flows"].values():
                flow["tokenUrl"] = path + flow["tokenUrl"]
    return document


def _is_open_to_all(dependant: Dependant) -> bool:
    """Whether a route looks at a token if there is one, and does without."""
    calls = _calls(dependant)
    return optional_principal in calls and current_principal not in calls


def _calls(dependant: Dependant) -> set[Any]:
    return {dependant.call}.union(*map(_calls, dependant.dependencies))
