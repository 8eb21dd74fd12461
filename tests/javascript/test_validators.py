"""Validators that front ends generate from the OpenAPI document judge as the server does."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.javascript.support import run
from tests.support import Account, Accounts

pytestmark = pytest.mark.javascript

V1 = "/api/v1"
REF = "#/components/schemas/"
PASSWORD = "correct horse battery staple"
TITLED, TOKEN = {"title": "A post", "body": "x"}, {"name": "x", "scopes": ["posts:read"]}
# Where a field is sent: its schema, the request, and the other fields.
FIELDS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "username": ("UserUpdate", "PATCH", "/users/me", {}),
    "bio": ("UserUpdate", "PATCH", "/users/me", {}),
    "title": ("PostCreate", "POST", "/posts", TITLED),
    "tags": ("PostCreate", "POST", "/posts", TITLED),
    "status": ("PostCreate", "POST", "/posts", TITLED),
    "password": ("RegistrationCreate", "POST", "/auth/register", {"email": "new@x.example"}),
    "email": ("PasswordResetRequest", "POST", "/auth/password/forgot", {}),
    "expires_in_days": ("PersonalTokenCreate", "POST", "/users/me/tokens", TOKEN),
}
TAKEN: dict[str, list[Any]] = {
    "username": ["bob", "Bob-1_x", "x" * 32],
    "bio": ["", "two\nlines", "слова"],
    "title": ["I ❤️ Plaza", "Слова", "日本語", "e\u0301te\u0301", "x" * 200, "👩‍👩‍👧‍👦", "$"],
    "tags": [
        *(["новости"], ["日本語"], ["c++"], ["c#"], ["node.js"], ["cafe\u0301"], ["_x"], ["a-b"]),
        *(["x" * 40], ["１２"], ["हिन्दी"], ["𐐷"], [], ["a", "b"]),
    ],
    "status": ["draft", "published"],
    "password": [PASSWORD, "пароль для Плазы", "x y" * 85],
    "email": ["ann@x.example", "ann.o'hara+x@sub.example.com", "ann@xn--bcher-kva.example"],
    "expires_in_days": [1, 366, None],
}
REFUSED: dict[str, list[Any]] = {
    "username": ["ab", "x" * 33, "новости", "bo\nb", "bob\u200b", "a b", "ｂｏｂ", "", None, 1],
    "bio": ["x" * 2001, None, 1],
    "title": ["", "x" * 201, None, 1, ["x"]],
    "tags": [
        *(["a b"], ["-x"], ["#x"], ["a/b"], ["a\nb"], ["a\u0000"], [""], ["a,b"], ["a@b"]),
        *(["x" * 41], ["a"] * 11, [1], "a", None),
    ],
    "status": ["any", "Draft", "", "draft\n", None],
    "password": ["short", "x" * 257, None, 1],
    "email": ["ann", "Ann <ann@x.example>", "ann@x.example\nx", "a b@x.example", "", None, 1],
    "expires_in_days": [0, 367, 1.5, -1, "x", 10**9],
}
# What no schema says in every language: there the server is stricter.
REFUSED_BY_RULES: dict[str, list[Any]] = {
    "title": ["\u200b", "\u3164", "a\nb", "\u202eabc"],
    "tags": [["❤️"], ["\u200b"], ["—"]],
    "password": ["password123"],
}
# Blanks around are taken off: there the server is milder.
TAKEN_WITHOUT_BLANKS: dict[str, list[Any]] = {"username": [" bob ", "bob\n"], "tags": [[" x "]]}


def schemas_of(document: dict[str, Any]) -> dict[str, Any]:
    """The document's schemas, as definitions of JSON Schema."""
    text = json.dumps(document["components"]["schemas"]).replace(REF, "#/$defs/")
    found: dict[str, Any] = json.loads(text)
    return found


def verdicts(schemas: dict[str, Any], cases: list[tuple[str, Any]]) -> dict[str, list[bool]]:
    """What the validators say of each value."""
    given = json.dumps({"schemas": schemas, "cases": cases})
    found: dict[str, list[bool]] = json.loads(run("node", "validate.mjs", given=given))
    assert found.keys() == {"ajv", "zod"}
    return found


def values(table: dict[str, list[Any]]) -> Iterator[tuple[str, Any]]:
    """Each field with each of its values."""
    for field, chosen in table.items():
        for value in chosen:
            yield field, value


def body_of(field: str, value: Any) -> dict[str, Any]:
    """A body with that value, and what else it needs."""
    others = FIELDS[field][3]
    proof = {"current_password": "correct horse battery"} if others is TOKEN else {}
    return {**others, **proof, field: value}


async def test_validators_judge_inputs_as_the_server_does(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, subtests: pytest.Subtests
) -> None:
    judgements = [  # what the server says, what validators say
        (True, True, TAKEN),
        (False, False, REFUSED),
        (False, True, REFUSED_BY_RULES),
        (True, False, TAKEN_WITHOUT_BLANKS),
    ]
    cases = [(taken, valid, *case) for taken, valid, table in judgements for case in values(table)]
    bodies = [(FIELDS[field][0], body_of(field, value)) for *_, field, value in cases]
    found = verdicts(schemas_of(app.openapi()), bodies)
    for number, (taken, valid, field, value) in enumerate(cases):
        _, method, path, _ = FIELDS[field]
        body = bodies[number][1]
        with subtests.test(f"{field} {value!r}"[:80]):
            answer = await client.request(method, V1 + path, json=body, headers=ann.headers)
            assert (answer.status_code != 422) == taken, answer.text
            for name, judged in found.items():
                assert judged[number] == valid, name


async def test_validators_take_what_the_server_answers(
    app: FastAPI, client: httpx.AsyncClient, ann: Account, accounts: Accounts
) -> None:
    await accounts.add("root", roles=("admin",))
    root = (await accounts.sign_in("root")).headers
    post = (await client.post(f"{V1}/posts", json=TITLED, headers=ann.headers)).json()
    token = TOKEN | {"current_password": "correct horse battery"}
    answers = {
        "TokenRead": await accounts.token("ann"),
        "UserRead": await client.get(f"{V1}/users/me", headers=ann.headers),
        "UserProfile": await client.get(f"{V1}/users/ann"),
        "ManagedUser": await client.get(f"{V1}/users/{ann.id}", headers=root),
        "PostRead": await client.get(f"{V1}/posts/{post['id']}", headers=ann.headers),
        "PostList": await client.get(f"{V1}/posts?status=any", headers=ann.headers),
        "SessionList": await client.get(f"{V1}/auth/sessions", headers=ann.headers),
        "AuditEntryList": await client.get(f"{V1}/audit-log", headers=root),
        "PersonalTokenCreated": await client.post(
            f"{V1}/users/me/tokens", json=token, headers=ann.headers
        ),
        "MfaRead": await client.get(f"{V1}/users/me/mfa", headers=ann.headers),
        "AuthorizationServer": await client.get("/.well-known/oauth-authorization-server"),
        "JsonWebKeySet": await client.get("/.well-known/jwks.json"),
        "Problem": await client.get(f"{V1}/posts?limit=x"),
    }
    cases = [(name, answer.json()) for name, answer in answers.items()]
    for name, judged in verdicts(schemas_of(app.openapi()), cases).items():
        assert dict(zip(answers, judged, strict=True)) == dict.fromkeys(answers, True), name
