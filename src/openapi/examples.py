"""Examples of request bodies, made of those of their fields: each can be sent as it stands."""

from collections.abc import Mapping
from typing import Any

Schemas = Mapping[str, Mapping[str, Any]]
NOTHING = object()


def add_examples(document: Mapping[str, Any]) -> None:
    """Give each body of the document its example.

    Swagger UI looks at the fields of a form alone, and fills one without an example with `string`.
    """
    schemas = document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            for media_type, body in content.items():
                if media_type != "application/json":
                    for field in body["schema"].get("properties", {}).values():
                        field.setdefault("example", "")
                body["example"] = example_of(body["schema"], schemas)


def example_of(schema: Mapping[str, Any], schemas: Schemas) -> Any:
    """The schema's own example, or one made of its parts; `NOTHING` if they have none."""
    match schema:
        case {"$ref": ref}:
            example = example_of(schemas[ref.rpartition("/")[2]], schemas)
        case {"examples": [example, *_]} | {"example": example}:
            pass
        case {"properties": properties}:
            fields = {name: example_of(field, schemas) for name, field in properties.items()}
            known = [item for item in fields.items() if item[1] not in (NOTHING, "")]
            example = dict(known[: schema.get("maxProperties")])
        case {"anyOf": [first, *_]}:
            example = example_of(first, schemas)
        case {"items": items}:
            item = example_of(items, schemas)
            example = item if item is NOTHING else [item]
        case _:
            example = schema.get("default", NOTHING)
    return example
