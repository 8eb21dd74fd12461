"""The OpenAPI document says what the server does: who may call, what is sent, what is taken."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from src.config import Settings
from src.main import create_app
from tests.openapi.test_document import operations
from tests.support import resolved

# What Python, Rust and JavaScript, with its flag `u` and without, read in one way: ASCII that
# stands for itself, classes, quantifiers, groups, the anchors of the whole.
ALIKE = re.compile(
    r"\^(?:[A-Za-z0-9_:@-]|\\[.\[\]^{}/]|[+*?)]|\((?!\?)|\{\d+(?:,\d*)?\}"
    r"|\[\^?(?:[A-Za-z0-9_.+#:@,/`-]|\\x[0-7][0-9a-f]|\\[.\[\]^{}/-])+\])+\$"
)
EMAILS = {
    ("RegistrationCreate", "email"),
    ("EmailResend", "email"),
    ("PasswordResetRequest", "email"),
    ("EmailChange", "new_email"),
}
# The only fields of answers that are not always there.
SOMETIMES = {
    "FeedItem": {"summary"},
    "JsonFeed": {"next_url"},
    "PostListItem": {"body", "body_html", "highlight"},
    "Introspection": {
        *("scope", "client_id", "username", "token_type", "exp", "iat", "nbf"),
        *("sub", "aud", "iss", "jti", "sid", "auth_time"),
    },
    "Problem": {"detail", "error", "error_description"},
}


def application(tmp_path: Path, **settings: Any) -> FastAPI:
    """The application, which here needs no database."""
    return create_app(Settings(_env_file=None, environment="test", data_dir=tmp_path, **settings))


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document."""
    return application(tmp_path_factory.mktemp("data")).openapi()


def parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from parts(value)


def answers(document: dict[str, Any]) -> set[str]:
    """The schemas that answers are made of."""
    waiting = [operation["responses"] for _, operation in operations(document)]
    found: set[str] = set()
    while waiting:
        for part in parts(waiting.pop()):
            if "$ref" in part and part["$ref"] not in found:
                found.add(part["$ref"])
                waiting.append(resolved(document, part))
    where = "#/components/schemas/"
    return {ref.removeprefix(where) for ref in found if ref.startswith(where)}


def test_what_is_always_sent_is_required(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    names = answers(document)
    assert {"PostRead", "TokenRead", "UserProfile", "AuthorizationServer"} <= names
    for name in names:
        fields = schemas[name].get("properties", {}).keys()
        optional = fields - set(schemas[name].get("required", []))
        assert optional == SOMETIMES.get(name, set()), name


def test_what_only_one_error_has_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    own = {
        name: set(schema["allOf"][1]["required"]) - {"code"}
        for name, schema in schemas.items()
        if name.endswith("Problem") and name != "Problem"
    }
    assert len(own) > 40
    assert {name: members for name, members in own.items() if members} == {
        "MfaRequiredProblem": {"mfa_token", "expires_in"},
        "ValidationProblem": {"errors"},
    }


def test_no_parameter_is_null(document: dict[str, Any]) -> None:
    parameters = [
        parameter
        for _, operation in operations(document)
        for parameter in operation.get("parameters", ())
    ]
    assert len(parameters) > 40
    for parameter in parameters:
        assert {"type": "null"} not in list(parts(parameter["schema"])), parameter


def test_choices_have_names(document: dict[str, Any]) -> None:
    named = {name: one for name, one in document["components"]["schemas"].items() if "enum" in one}
    assert {"PostStatus", "PostStatusFilter", "Locale", "Role", "Scope", "GrantType"} <= set(named)
    assert [one for one in parts(document) if "enum" in one and one not in named.values()] == []


def fields(document: dict[str, Any], node: Mapping[str, Any]) -> set[str]:
    """The fields of an object, or of every object that it may be."""
    node = resolved(document, node)
    choices = [one for key in ("allOf", "anyOf", "oneOf") for one in node.get(key, [])]
    return set(node.get("properties", {})).union(*(fields(document, one) for one in choices))


def test_headers_of_answers_are_described(document: dict[str, Any]) -> None:
    answers = {
        f"{name} {status}": set(resolved(document, answer)["headers"])
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
    }
    limits = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
    for name, headers in answers.items():
        assert "X-Request-ID" in headers, name
        assert (headers & limits == limits) != name.startswith("GET /health/"), name
    tagged = {name for name, headers in answers.items() if "ETag" in headers}
    assert {"GET /api/v1/posts/{post_id} 200", "GET /api/v1/posts/{post_id} 304"} <= tagged
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            bodies = resolved(document, answer).get("content", {}).values()
            has_version = any("version" in fields(document, body["schema"]) for body in bodies)
            has_tag = has_version or status == "304" or "/posts/feed." in name
            assert (f"{name} {status}" in tagged) == (has_tag and status < "4"), name
    for status, header in (
        ("201", "Location"),
        ("401", "WWW-Authenticate"),
        ("429", "Retry-After"),
    ):
        assert all(header in found for name, found in answers.items() if name.endswith(status))
    assert "Link" in answers["GET /api/v1/posts 200"]
    assert set().union(*answers.values()) == set(document["components"]["headers"])


def test_patterns_mean_the_same_in_every_language(document: dict[str, Any]) -> None:
    patterns = {part["pattern"] for part in parts(document) if isinstance(part.get("pattern"), str)}
    assert len(patterns) >= 4
    for pattern in patterns:
        assert ALIKE.fullmatch(pattern), pattern


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\w+$",
        r"^\d$",
        r"^[\w]$",
        r"^\s$",
        "^(?i)a$",
        r"^a\Z",
        "^я$",
        "a",
        "^a",
        r"^\p{L}$",
        "^.$",
    ],
)
def test_other_patterns_would_be_noticed(pattern: str) -> None:
    assert not ALIKE.fullmatch(pattern)


def test_addresses_say_what_they_are(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for schema, field in EMAILS:
        assert schemas[schema]["properties"][field]["format"] == "email", schema
    inputs = schemas.keys() - answers(document)
    lacking = [
        (name, field)
        for name in inputs
        for field, property_ in schemas[name].get("properties", {}).items()
        if "email" in field and property_.get("format") != "email"
    ]
    assert lacking == []


@pytest.mark.parametrize(("days", "most"), [(366, 366), (7, 7), (36_500, 3650)])
def test_the_life_of_a_token_is_bounded_as_the_setting_says(
    tmp_path: Path, days: int, most: int
) -> None:
    app = application(tmp_path, personal_token_lifetime=timedelta(days=days))
    schema = app.openapi()["components"]["schemas"]["PersonalTokenCreate"]
    number, _ = schema["properties"]["expires_in_days"]["anyOf"]
    assert (number["minimum"], number["maximum"]) == (1, most)


def test_forms_say_which_client_front_ends_are(document: dict[str, Any]) -> None:
    for name in ("token", "revoke", "introspect", "web/login"):
        operation = document["paths"][f"/api/v1/auth/{name}"]["post"]
        for body in operation["requestBody"]["content"].values():
            form = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
            assert "plaza" in form["properties"]["client_id"]["description"], name
