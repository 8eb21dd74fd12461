"""The OpenAPI document says what the server does: who may call, what is sent, what is taken."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from src.config import Settings
from src.main import create_app
from tests.openapi.test_document import operations

# What Python, Rust and JavaScript, with its flag `u` and without, read in one way: ASCII that
# stands for itself, classes, quantifiers, groups, the anchors of the whole.
ALIKE = re.compile(
    r"\^(?:[A-Za-z0-9_:@-]|\\[.\[\]^{}/]|[+*?)]|\((?!\?)|\{\d+(?:,\d*)?\}"
    r"|\[\^?(?:[A-Za-z0-9_.+#:@,/`-]|\\x[0-7][0-9a-f]|\\[.\[\]^{}/-])+\])+\$"
)
EMAILS = {
    ("RegistrationCreate", "email"),
    ("EmailResend", "email"),
    ("PasswordForgotten", "email"),
    ("EmailChange", "new_email"),
}
# The only fields of answers that are not always there.
SOMETIMES = {
    "PostListItem": {"body", "body_html"},
    "Introspection": {
        *("scope", "client_id", "username", "token_type", "exp", "iat", "nbf"),
        *("sub", "aud", "iss", "jti", "sid", "auth_time"),
    },
    "Problem": {"detail", "errors", "error", "error_description", "mfa_token", "expires_in"},
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
    schemas = document["components"]["schemas"]
    waiting = [operation["responses"] for _, operation in operations(document)]
    found: set[str] = set()
    while waiting:
        for part in parts(waiting.pop()):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(schemas[name])
    return found


def test_who_needs_no_token_says_so(document: dict[str, Any]) -> None:
    security = {name: operation.get("security") for name, operation in operations(document)}
    for name in (
        "GET /api/v1/posts",
        "GET /api/v1/posts/{post_id}",
        "GET /api/v1/users/{user}",
        "POST /api/v1/auth/email/confirm",
    ):
        assert security[name] == [{"BearerToken": []}, {}], name
    for name in ("PATCH /api/v1/posts/{post_id}", "GET /api/v1/users/me/mfa"):
        assert {} not in (security[name] or []), name


def test_what_is_always_sent_is_required(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    names = answers(document)
    assert {"PostRead", "TokenRead", "UserProfile", "AuthorizationServer"} <= names
    for name in names:
        fields = schemas[name].get("properties", {}).keys()
        optional = fields - set(schemas[name].get("required", []))
        assert optional == SOMETIMES.get(name, set()), name


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
            assert "plaza" in body["schema"]["properties"]["client_id"]["description"], name
