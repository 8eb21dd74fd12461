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
from src.main import create_app

# What clients call, by what they call it.
OPERATIONS = {
    "register": "POST /api/v1/auth/register",
    "confirmEmail": "POST /api/v1/auth/email/confirm",
    "resendConfirmation": "POST /api/v1/auth/email/resend",
    "requestToken": "POST /api/v1/auth/token",
    "revokeToken": "POST /api/v1/auth/revoke",
    "introspectToken": "POST /api/v1/auth/introspect",
    "signInWithCookie": "POST /api/v1/auth/web/login",
    "refreshWithCookie": "POST /api/v1/auth/web/refresh",
    "getCookieSession": "GET /api/v1/auth/web/session",
    "signOutWithCookie": "POST /api/v1/auth/web/logout",
    "signOut": "POST /api/v1/auth/logout",
    "listSessions": "GET /api/v1/auth/sessions",
    "endSession": "DELETE /api/v1/auth/sessions/{session_id}",
    "requestPasswordReset": "POST /api/v1/auth/password/forgot",
    "resetPassword": "POST /api/v1/auth/password/reset",
    "getJsonWebKeys": "GET /.well-known/jwks.json",
    "getServerMetadata": "GET /.well-known/oauth-authorization-server",
    "checkUsername": "GET /api/v1/usernames/{username}",
    "getMe": "GET /api/v1/users/me",
    "updateMe": "PATCH /api/v1/users/me",
    "deleteMe": "DELETE /api/v1/users/me",
    "exportAccount": "GET /api/v1/users/me/export",
    "getUser": "GET /api/v1/users/{user}",
    "changePassword": "POST /api/v1/users/me/password",
    "changeEmail": "POST /api/v1/users/me/email",
    "getMfa": "GET /api/v1/users/me/mfa",
    "enrolTotp": "POST /api/v1/users/me/mfa/totp",
    "confirmTotp": "POST /api/v1/users/me/mfa/totp/confirm",
    "disableTotp": "DELETE /api/v1/users/me/mfa/totp",
    "replaceRecoveryCodes": "POST /api/v1/users/me/mfa/recovery-codes",
    "followUser": "PUT /api/v1/users/{username}/follow",
    "unfollowUser": "DELETE /api/v1/users/{username}/follow",
    "blockUser": "PUT /api/v1/users/{username}/block",
    "unblockUser": "DELETE /api/v1/users/{username}/block",
    "listFollowers": "GET /api/v1/users/{username}/followers",
    "listFollowing": "GET /api/v1/users/{username}/following",
    "listBlocks": "GET /api/v1/users/me/blocks",
    "getFeed": "GET /api/v1/feed",
    "listComments": "GET /api/v1/posts/{post_id}/comments",
    "createComment": "POST /api/v1/posts/{post_id}/comments",
    "getComment": "GET /api/v1/comments/{comment_id}",
    "updateComment": "PATCH /api/v1/comments/{comment_id}",
    "deleteComment": "DELETE /api/v1/comments/{comment_id}",
    "listPosts": "GET /api/v1/posts",
    "createPost": "POST /api/v1/posts",
    "getAtomFeed": "GET /api/v1/posts/feed.atom",
    "getJsonFeed": "GET /api/v1/posts/feed.json",
    "getPost": "GET /api/v1/posts/{post_id}",
    "likePost": "PUT /api/v1/posts/{post_id}/like",
    "unlikePost": "DELETE /api/v1/posts/{post_id}/like",
    "bookmarkPost": "PUT /api/v1/posts/{post_id}/bookmark",
    "unbookmarkPost": "DELETE /api/v1/posts/{post_id}/bookmark",
    "listBookmarks": "GET /api/v1/users/me/bookmarks",
    "listTags": "GET /api/v1/tags",
    "updatePost": "PATCH /api/v1/posts/{post_id}",
    "deletePost": "DELETE /api/v1/posts/{post_id}",
    "publishPost": "POST /api/v1/posts/{post_id}/publish",
    "unpublishPost": "POST /api/v1/posts/{post_id}/unpublish",
    "restorePost": "POST /api/v1/posts/{post_id}/restore",
    "listRevisions": "GET /api/v1/posts/{post_id}/revisions",
    "getRevision": "GET /api/v1/posts/{post_id}/revisions/{number}",
    "restoreRevision": "POST /api/v1/posts/{post_id}/revisions/{number}/restore",
    "makePreviewLink": "POST /api/v1/posts/{post_id}/preview-link",
    "getPreview": "GET /api/v1/post-previews/{token}",
    "listPersonalTokens": "GET /api/v1/users/me/tokens",
    "createPersonalToken": "POST /api/v1/users/me/tokens",
    "getPersonalToken": "GET /api/v1/users/me/tokens/{token_id}",
    "deletePersonalToken": "DELETE /api/v1/users/me/tokens/{token_id}",
    "listUsers": "GET /api/v1/users",
    "updateUser": "PATCH /api/v1/users/{user}",
    "endUserSessions": "POST /api/v1/users/{user}/sessions/end",
    "forcePasswordReset": "POST /api/v1/users/{user}/password/force-reset",
    "removeUserMfa": "DELETE /api/v1/users/{user}/mfa",
    "listAuditEntries": "GET /api/v1/audit-log",
    "listWebhooks": "GET /api/v1/webhooks",
    "createWebhook": "POST /api/v1/webhooks",
    "getWebhook": "GET /api/v1/webhooks/{webhook_id}",
    "updateWebhook": "PATCH /api/v1/webhooks/{webhook_id}",
    "deleteWebhook": "DELETE /api/v1/webhooks/{webhook_id}",
    "getWebhookSecret": "GET /api/v1/webhooks/{webhook_id}/secret",
    "rotateWebhookSecret": "POST /api/v1/webhooks/{webhook_id}/rotate-secret",
    "testWebhook": "POST /api/v1/webhooks/{webhook_id}/test",
    "listDeliveries": "GET /api/v1/webhooks/{webhook_id}/deliveries",
    "retryDelivery": "POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry",
    "checkLiveness": "GET /health/live",
    "checkReadiness": "GET /health/ready",
}
FEEDS = {"/api/v1/posts/feed.atom", "/api/v1/posts/feed.json"}
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
            if path in FEEDS and route.path == "/api/v1/posts/{post_id}":
                continue  # no slug has a dot: to change or delete that is 404
            if compile_path(route.path or "")[0].match(path):
                assert (route.methods or set()) <= methods, f"{path} is {route.path}"


def test_what_clients_call_keeps_its_name(document: dict[str, Any]) -> None:
    """A client is generated anew: a name that changes breaks whoever calls it."""
    found = {name: operation["operationId"] for name, operation in operations(document)}
    assert found == {route: name for name, route in OPERATIONS.items()}


def test_names_are_short_and_begin_with_what_is_done(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        assert re.fullmatch("[a-z]+(?:[A-Z][a-z]+)*", operation["operationId"])
        assert len(operation["operationId"]) <= 24
    for name in document["components"]["schemas"]:
        assert re.fullmatch("(?:[A-Z][a-z]+)+", name)
    lists = {name for name in document["components"]["schemas"] if name.endswith("List")}
    assert {"PostList", "SessionList", "PersonalTokenList", "ManagedUserList"} <= lists


def test_tags_are_described_in_the_order_of_a_newcomer(document: dict[str, Any]) -> None:
    names = [tag["name"] for tag in document["tags"]]
    assert names[:2] == ["auth", "users"]
    assert names[-1] == "health"
    assert all(tag["description"].endswith(".") for tag in document["tags"])
    used = [operation["tags"] for _, operation in operations(document)]
    assert {len(tags) for tags in used} == {1}
    assert {tags[0] for tags in used} == set(names)


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        summary = operation["summary"]
        assert re.fullmatch(r"[A-Z][^`\n]+\.", summary), name
        assert len(summary) <= 90, name
        assert operation["description"], name


def test_who_needs_a_token_says_so(document: dict[str, Any]) -> None:
    security = {name: operation["security"] for name, operation in operations(document)}
    assert security["POST /api/v1/posts"] == [{"BearerToken": ["posts:write"]}]
    assert security["GET /api/v1/users/me"] == [{"BearerToken": ["profile:read"]}]
    [flow] = document["components"]["securitySchemes"]["BearerToken"]["flows"].values()
    assert flow["tokenUrl"] == "/api/v1/auth/token"
    used = {
        scope
        for requirements in security.values()
        for requirement in requirements
        for scope in requirement.get("BearerToken", ())
    }
    assert used <= set(flow["scopes"])


def test_who_needs_no_token_says_so(document: dict[str, Any]) -> None:
    security = {name: operation["security"] for name, operation in operations(document)}
    assert {name for name, found in security.items() if found == [{"BearerToken": []}, {}]} == {
        "GET /api/v1/posts",
        "GET /api/v1/comments/{comment_id}",
        "GET /api/v1/posts/{post_id}",
        "GET /api/v1/posts/{post_id}/comments",
        "GET /api/v1/users/{user}",
        "GET /api/v1/users/{username}/followers",
        "GET /api/v1/users/{username}/following",
        "POST /api/v1/auth/email/confirm",
        "POST /api/v1/auth/logout",
    }
    web = {name: found for name, found in security.items() if "/auth/web/" in name}
    assert web == {
        "POST /api/v1/auth/web/login": [],
        "POST /api/v1/auth/web/refresh": [{"RefreshCookie": []}],
        "POST /api/v1/auth/web/logout": [{"RefreshCookie": []}, {}],
        "GET /api/v1/auth/web/session": [{"RefreshCookie": []}, {}],
    }
    assert security["POST /api/v1/auth/introspect"] == [{"ClientCredentials": []}, {}]
    public = {name for name, found in security.items() if not found}
    assert {"POST /api/v1/auth/token", "POST /api/v1/auth/register", "GET /health/live"} <= public
    assert len(public) == 16


def test_it_says_whose_it_is(document: dict[str, Any]) -> None:
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    assert document["info"]["contact"]["name"]
    assert document["servers"] == [{"url": "/"}]


def test_what_is_local_is_not_in_it(document: dict[str, Any]) -> None:
    assert [path for path in document["paths"] if path.startswith(("/dev", "/docs"))] == []
