"""The headers of answers, as the OpenAPI document has them."""

from collections.abc import Mapping
from typing import Any

from src.limits.rate_limits import UNLIMITED

HEADERS: Mapping[str, tuple[str, str]] = {
    "ETag": ("string", "The version of what is in the body, for If-Match and If-None-Match"),
    "Link": ("string", 'Where the next page is, if there is one: `<…>; rel="next"`'),
    "Location": ("string", "Where the resource is"),
    "RateLimit-Limit": ("integer", "The requests that are allowed in a while"),
    "RateLimit-Remaining": ("integer", "How many of them are left"),
    "RateLimit-Reset": ("integer", "The seconds until all of them are there again"),
    "Retry-After": ("integer", "The seconds to wait before the next try"),
    "WWW-Authenticate": ("string", "How to authenticate, and what is wrong (RFC 6750, section 3)"),
    "X-Request-ID": ("string", "The id of the request: the caller's own, or a new one"),
}
LIMITS = [name for name in HEADERS if name.startswith("RateLimit-")]
OF_STATUS = {
    "201": ["Location"],
    "301": ["Location"],
    "304": ["ETag"],
    "401": ["WWW-Authenticate"],
    "403": ["WWW-Authenticate"],
    "429": ["Retry-After"],
    "503": ["Retry-After"],
}
OF_FIELD = {"version": "ETag", "next_cursor": "Link"}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The `ETag` of what the caller has: if it still holds, the answer is 304",
}


def components() -> dict[str, Any]:
    """The headers by name."""
    return {
        name: {"description": text, "schema": {"type": kind}}
        for name, (kind, text) in HEADERS.items()
    }


def add_headers(
    path: str, method: str, operation: dict[str, Any], schemas: Mapping[str, Any]
) -> None:
    """Say which headers the answers of an operation have."""
    answers = operation["responses"]
    if method == "get" and "ETag" in _of_body(answers.get("200", {}), schemas):
        answers["304"] = {"description": "What the caller has still holds"}
    if "304" in answers:
        operation.setdefault("parameters", []).append(IF_NONE_MATCH)
    for status, answer in answers.items():
        names = ["X-Request-ID", *OF_STATUS.get(status, ()), *_of_body(answer, schemas)]
        if status == "200" and "304" in answers and "ETag" not in names:  # of no version
            names.append("ETag")
        if not path.startswith(UNLIMITED):
            names += LIMITS
        answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _of_body(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    """Those that come with a field of the body."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    names = [one.get("$ref", "").rpartition("/")[2] for one in schema.get("anyOf", [schema])]
    fields = {field for name in names for field in schemas.get(name, {}).get("properties", ())}
    return [header for field, header in OF_FIELD.items() if field in fields]
