"""Examples of bodies, made of those of their fields. What is to be sent can be as it stands."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]
TEXT = {"type": "string"}
_OF_FORMAT = {
    "uuid": "01936d1f-5c00-7a3e-9b1d-2f4e6a8c0b1d",
    "date-time": "2026-03-01T12:00:00Z",
}
_OF_TYPE = {"string": "text", "integer": 1, "boolean": False}


def add_examples(document: Mapping[str, Any]) -> None:
    """Give each body of the document its example.

    Swagger UI looks at the fields of a form alone, and fills one without an example with `string`.
    """
    schemas = document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
                if media_type != "application/json":
                    fields = _resolved(body["schema"], schemas).get("properties", {})
                    for field in fields.values():
                        if field.get("type") == "string" and "const" not in field:
                            field["example"] = field.get("examples", [""])[0]
                body["example"] = request_of(body["schema"], schemas)
            for status, answer in operation["responses"].items():
                for body in answer.get("content", {}).values() if status < "3" else ():
                    body["example"] = answer_of(body["schema"], schemas)


def request_of(schema: Schema, schemas: Schemas) -> Any:
    """A request with the fields that have examples, and those that it cannot do without."""
    schema = _resolved(schema, schemas)
    match schema:
        case {"examples": [example, *_]} | {"default": example}:
            pass
        case {"properties": properties}:
            required = schema.get("required", ())
            examples = {
                name: request_of(field, schemas)
                for name, field in properties.items()
                if name in required or _has_example(field, schemas)
            }
            example = dict([*examples.items()][: schema.get("maxProperties")])
        case {"anyOf": [first, *_]}:
            example = request_of(first, schemas)
        case {"items": items}:
            example = [request_of(items, schemas)]
        case _:
            example = answer_of(schema, schemas)
    return example


def _has_example(schema: Schema, schemas: Schemas) -> bool:
    schema = _resolved(schema, schemas)
    if "examples" in schema or schema.get("default"):
        return True
    parts = [*schema.get("anyOf", ())[:1], *filter(None, [schema.get("items")])]
    return any(_has_example(part, schemas) for part in parts)


def answer_of(schema: Schema, schemas: Schemas) -> Any:
    """An answer with every field; one without an example has that of another with its name."""
    schema = _resolved(schema, schemas)
    match schema:
        case {"examples": [example, *_]} | {"const": example} | {"enum": [example, *_]}:
            pass
        case {"properties": properties}:
            example = {
                name: _namesake(name, schemas) if field == TEXT else answer_of(field, schemas)
                for name, field in properties.items()
            }
        case {"anyOf": [first, {"type": "null"}]} if "properties" not in _resolved(first, schemas):
            example = None
        case {"anyOf": [first, *_]}:
            example = answer_of(first, schemas)
        case {"items": items}:
            example = [answer_of(items, schemas)]
        case {"type": "object"}:
            example = {}
        case _:
            example = _OF_FORMAT.get(schema.get("format", ""), _OF_TYPE.get(schema.get("type", "")))
    return example


def _namesake(name: str, schemas: Schemas) -> str:
    """The example of a text of this name, anywhere."""
    fields = (schema.get("properties", {}).get(name, {}) for schema in schemas.values())
    return next((field["examples"][0] for field in fields if "examples" in field), "text")


def _resolved(schema: Schema, schemas: Schemas) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**schemas[name], **schema} if name else schema
