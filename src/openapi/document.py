"""The OpenAPI document: FastAPI's, with what only we know of our answers."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic.alias_generators import to_camel

from src.access.principals import current_principal
from src.openapi import headers, problems
from src.openapi.examples import add_examples
from src.validation.settings import validating_with

FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")
_PAGE = re.compile(r"\bPage[_\[](\w+?)(?:Read|ListItem)?[_\]](?=\")")
_SENTENCE = re.compile(r"(.+?\.)(?:\s+(.+))?", re.DOTALL)

Json = dict[str, Any]


def operation_id(route: APIRoute) -> str:
    """That of `list_posts`, or `list_posts_` where the name is taken, is listPosts."""
    return to_camel(route.name.rstrip("_"))


def install(app: FastAPI) -> None:
    """Describe every operation as its clients need it."""

    def document() -> Json:
        if app.openapi_schema is None:
            with validating_with(app.state.settings):  # it says which limits are set
                text = _PAGE.sub(r"\1List", json.dumps(FastAPI.openapi(app)))
                app.openapi_schema = None  # FastAPI has kept it as it is
                app.openapi_schema = _completed(json.loads(text), app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _completed(document: Json, app: FastAPI) -> Json:
    components = document["components"]
    schemas: Json = components["schemas"]
    for name in FASTAPI_ERRORS:
        schemas.pop(name, None)
    components |= {"headers": headers.components(), "responses": {}}
    kinds: set[problems.Kind] = set()
    for route, path, method in _routes(app):
        operation = document["paths"][path][method]
        _describe(operation)
        _name_form(operation, schemas)
        calls = _calls(route.dependant)
        security = operation.setdefault("security", [])
        if current_principal not in calls and any("BearerToken" in one for one in security):
            security.append({})  # a token is looked at if there is one
        found = problems.kinds_of(path, calls, operation)
        kinds.update(*found.values())
        operation["responses"] |= {
            str(status): problems.answer(path, of_status) for status, of_status in found.items()
        }
        headers.add_headers(path, method, operation, schemas)
        operation["responses"] = {
            status: problems.shared(answer, components["responses"])
            for status, answer in sorted(operation["responses"].items())
        }
    schemas |= problems.components(kinds)
    document["paths"] = _untitled(document["paths"])
    components["schemas"] = dict(sorted(_untitled(schemas).items()))
    components["responses"] = dict(sorted(components["responses"].items()))
    add_examples(document)
    if public_path := app.state.settings.public_path:
        flow = components["securitySchemes"]["BearerToken"]["flows"]["password"]
        flow["tokenUrl"] = public_path + flow["tokenUrl"]
    return document


def _untitled(node: Any) -> Any:
    """The same without titles, which pydantic makes of names: clients would repeat them."""
    if isinstance(node, dict):
        return {
            key: value if key in {"example", "examples"} else _untitled(value)
            for key, value in node.items()
            if key != "title" or not isinstance(value, str)
        }
    return list(map(_untitled, node)) if isinstance(node, list) else node


def _routes(app: FastAPI) -> Iterator[tuple[RouteContext, str, str]]:
    """Those that are in the document, with where they are in it."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield route, route.path_format or "", method.lower()


def _calls(dependant: Dependant) -> set[Callable[..., Any]]:
    call = {dependant.call} if dependant.call else set()
    return call.union(*map(_calls, dependant.dependencies))


def _describe(operation: Json) -> None:
    """The first sentence of the endpoint's docstring is the summary, the others describe it."""
    if sentence := _SENTENCE.fullmatch(operation.get("description", "")):
        operation["summary"] = " ".join(sentence[1].split())
        operation["description"] = sentence[2] or operation["summary"]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "header":
            parameter["name"] = parameter["name"].title()
        one_of = parameter["schema"].pop("anyOf", [])
        values = [schema for schema in one_of if schema != {"type": "null"}]  # no parameter is null
        parameter["schema"] |= {"anyOf": values} if len(values) > 1 else dict(*values)


def _name_form(operation: Json, schemas: Json) -> None:
    """Give a form that a route describes by itself a name of its own, as FastAPI does."""
    for body in operation.get("requestBody", {}).get("content", {}).values():
        if {"properties", "title"} <= body["schema"].keys():
            title = body["schema"]["title"]
            schemas |= body["schema"].pop("$defs", {}) | {title: body["schema"]}
            body["schema"] = {"$ref": problems.COMPONENT.format(model=title)}
