"""Every route with every scope: a token gets nothing that another scope guards."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from src.access.permissions import OWN_READS, SCOPES
from src.audit import log as audit
from src.auth.models import EmailLink, Session
from src.config import Settings
from tests.auth.support import ME, code
from tests.personal_tokens.support import bearer, made
from tests.posts.support import POSTS, write
from tests.support import PASSWORD, Account, Accounts
from tests.webhooks.support import WEBHOOKS, create

API = "/api/v1"
NOBODYS = "01890000-0000-7000-8000-000000000000"
PROFILE = frozenset({"profile:read", "profile:write"})
FOLLOWS = frozenset({"follows:read", "follows:write"})
POSTS_OWN = frozenset({"posts:read", "posts:write"})
PROOF = {"current_password": PASSWORD}


@dataclass(frozen=True)
class Call:
    """A request of a route, the scopes it needs, and the answer to whoever has them.

    `{…}` in the URL is filled in from the world of the test.
    """

    scopes: frozenset[str]
    status: int
    url: str = ""  # the route's path if left out
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    session: bool = False  # no personal access token will do
    anonymous: bool = False  # needs no token at all


def needs(*scopes: str, status: int = 200, **request: Any) -> Call:
    return Call(frozenset(scopes), status, **request)


def own(*scopes: str, status: int = 200, **request: Any) -> Call:
    """A route of one's own account, for whoever has signed in themselves."""
    return Call(frozenset(scopes), status, session=True, **request)


def public(status: int = 200, **request: Any) -> Call:
    return Call(frozenset(), status, anonymous=True, **request)


# The order counts: what ends something for those that follow comes last.
CALLS: dict[str, list[Call]] = {
    "GET /": [public()],
    "GET /openapi.json": [public()],
    "HEAD /openapi.json": [public()],
    "GET /docs": [public()],
    "GET /docs/oauth2-redirect": [public()],
    "GET /docs/swagger.js": [public()],
    "GET /docs/redoc.js": [public()],
    "* /docs/static": [public(url="/docs/static/swagger-ui.css")],
    "GET /redoc": [public()],
    "GET /health/live": [public()],
    "GET /health/ready": [public()],
    "GET /.well-known/jwks.json": [public()],
    "GET /.well-known/oauth-authorization-server": [public()],
    "GET /.well-known/oauth-authorization-server{path:path}": [
        public(404, url="/.well-known/oauth-authorization-server/other")
    ],
    "GET /.well-known/change-password": [public(303)],
    "GET /account-pages/page.css": [public()],
    "GET /account-pages/{name}": [public(url="/account-pages/page.js")],
    "GET /confirm-email": [public()],
    "HEAD /confirm-email": [public()],
    "GET /reset-password": [public()],
    "HEAD /reset-password": [public()],
    "GET /forgot-password": [public()],
    "HEAD /forgot-password": [public()],
    # Not in production.
    "GET /dev/mailbox": [public()],
    "GET /dev/mailbox/{mail_id}": [public(404, url=f"/dev/mailbox/{NOBODYS}")],
    "GET /dev/mailbox/{mail_id}/html": [public(404, url=f"/dev/mailbox/{NOBODYS}/html")],
    "GET /dev/mailbox/{mail_id}/text": [public(404, url=f"/dev/mailbox/{NOBODYS}/text")],
    "DELETE /dev/mailbox": [public(204)],
    "POST /api/v1/auth/register": [
        public(202, json={"email": "new@x.test", "password": PASSWORD}),
        public(202, json={"email": "ann@x.test", "password": PASSWORD}),
        public(409, json={"email": "new@x.test", "password": PASSWORD, "username": "bob"}),
    ],
    "POST /api/v1/auth/email/confirm": [public(400, json={"token": "x", "password": PASSWORD})],
    "POST /api/v1/auth/email/resend": [public(202, json={"email": "bob@x.test"})],
    "POST /api/v1/auth/password/forgot": [public(202, json={"email": "bob@x.test"})],
    "POST /api/v1/auth/password/reset": [
        public(400, json={"token": "x", "new_password": "a heron in the shallows"})
    ],
    # Here clients authenticate themselves: a bearer token is no way to do that.
    "POST /api/v1/auth/token": [
        public(401, form={"grant_type": "refresh_token", "refresh_token": "x"})
    ],
    "POST /api/v1/auth/revoke": [public(401, form={"token": "x"})],
    "POST /api/v1/auth/introspect": [public(401, form={"token": "x"})],
    "POST /api/v1/auth/web/login": [public(403, json={"username": "ann", "password": PASSWORD})],
    "POST /api/v1/auth/web/refresh": [public(403)],
    "GET /api/v1/auth/web/session": [public(403)],
    "POST /api/v1/auth/web/logout": [public(403)],
    "GET /api/v1/posts": [
        public(),
        public(url=f"{POSTS}?fields=full&author=ann"),
        needs("posts:read", url=f"{POSTS}?status=draft&fields=full"),
    ],
    "GET /api/v1/posts/feed.atom": [public()],
    "GET /api/v1/posts/feed.json": [public()],
    "GET /sitemap.xml": [public()],
    "GET /sitemaps/posts-{number}.xml": [public(url="/sitemaps/posts-1.xml")],
    "GET /api/v1/posts/{post_id}": [
        public(url=f"{POSTS}/{{news_id}}"),
        needs("posts:read", url=f"{POSTS}/{{draft_id}}"),
        needs("posts:read", url=f"{POSTS}/{{draft_slug}}"),
        needs(
            "posts:read", url=f"{POSTS}/{{draft_id}}", headers={"If-None-Match": "*"}, status=304
        ),
    ],
    "POST /api/v1/posts": [
        needs("posts:write", status=201, json={"title": "Another", "body": "Text"}),
        needs(
            "posts:write",
            status=201,
            json={"title": "Another", "body": "Text"},
            headers={"Idempotency-Key": "another"},
        ),
        needs(
            "posts:write",
            status=422,
            json={"title": "Another", "body": "Text"},
            headers={"Idempotency-Key": "key-of-ann"},
        ),
    ],
    "PATCH /api/v1/posts/{post_id}": [
        needs("posts:read", "posts:write", url=f"{POSTS}/{{draft_id}}", json={}),
        needs(
            "posts:read",
            "posts:write",
            url=f"{POSTS}/{{draft_id}}",
            json={},
            headers={"If-Match": '"0"'},
            status=412,
        ),
    ],
    "POST /api/v1/posts/{post_id}/publish": [
        needs(
            *POSTS_OWN, url=f"{POSTS}/{{draft_id}}/publish", headers={"If-Match": '"0"'}, status=412
        ),
    ],
    "POST /api/v1/posts/{post_id}/unpublish": [
        needs(*POSTS_OWN, url=f"{POSTS}/{{draft_id}}/unpublish"),
    ],
    "POST /api/v1/posts/{post_id}/restore": [
        needs(*POSTS_OWN, url=f"{POSTS}/{{draft_id}}/restore"),
    ],
    "POST /api/v1/posts/{post_id}/preview-link": [
        needs(*POSTS_OWN, url=f"{POSTS}/{{draft_id}}/preview-link"),
    ],
    "GET /api/v1/post-previews/{token}": [public(404, url=f"{API}/post-previews/x")],
    "GET /preview-post": [public(404, url="/preview-post?token=x")],
    "GET /api/v1/posts/{post_id}/revisions": [
        needs("posts:read", url=f"{POSTS}/{{draft_id}}/revisions"),
    ],
    "GET /api/v1/posts/{post_id}/revisions/{number}": [
        needs("posts:read", url=f"{POSTS}/{{draft_id}}/revisions/1"),
    ],
    "POST /api/v1/posts/{post_id}/revisions/{number}/restore": [
        needs(*POSTS_OWN, url=f"{POSTS}/{{draft_id}}/revisions/1/restore"),
    ],
    "PUT /api/v1/posts/{post_id}/like": [
        needs("posts:write", url=f"{POSTS}/{{news_id}}/like", status=204),
        needs("posts:write", url=f"{POSTS}/{NOBODYS}/like", status=404),
    ],
    "DELETE /api/v1/posts/{post_id}/like": [
        needs("posts:write", url=f"{POSTS}/{{news_id}}/like", status=204),
    ],
    "PUT /api/v1/posts/{post_id}/bookmark": [
        needs("posts:write", url=f"{POSTS}/{{draft_id}}/bookmark", status=204),
    ],
    "DELETE /api/v1/posts/{post_id}/bookmark": [
        needs("posts:write", url=f"{POSTS}/{{news_id}}/bookmark", status=204),
    ],
    "GET /api/v1/users/me/bookmarks": [needs("posts:read", url=f"{ME}/bookmarks?fields=full")],
    "GET /api/v1/tags": [public()],
    "DELETE /api/v1/posts/{post_id}": [
        needs("posts:write", url=f"{POSTS}/{{trash_id}}", status=204),
    ],
    "PUT /api/v1/users/{username}/follow": [
        needs(*FOLLOWS, url=f"{API}/users/nobody/follow", status=404),
    ],
    "DELETE /api/v1/users/{username}/follow": [
        needs(*FOLLOWS, url=f"{API}/users/bob/follow", status=204),
    ],
    "PUT /api/v1/users/{username}/block": [
        needs(*FOLLOWS, url=f"{API}/users/ann/block", status=409),
    ],
    "DELETE /api/v1/users/{username}/block": [
        needs(*FOLLOWS, url=f"{API}/users/nobody/block", status=404),
    ],
    "GET /api/v1/users/{username}/followers": [public(url=f"{API}/users/ann/followers")],
    "GET /api/v1/users/{username}/following": [public(url=f"{API}/users/ann/following")],
    "GET /api/v1/users/me/blocks": [needs("follows:read")],
    "GET /api/v1/posts/{post_id}/comments": [
        public(url=f"{POSTS}/{{news_id}}/comments"),
        needs("posts:read", url=f"{POSTS}/{{draft_id}}/comments"),
    ],
    "POST /api/v1/posts/{post_id}/comments": [
        needs(
            "comments:write",
            url=f"{POSTS}/{{news_id}}/comments",
            status=201,
            json={"body": "Hello"},
        ),
        needs(
            "comments:write",
            url=f"{POSTS}/{{draft_id}}/comments",
            status=404,
            json={"body": "Hello"},
        ),
    ],
    "GET /api/v1/comments/{comment_id}": [public(404, url=f"{API}/comments/{NOBODYS}")],
    "PATCH /api/v1/comments/{comment_id}": [
        needs("comments:write", url=f"{API}/comments/{NOBODYS}", status=404, json={"body": "x"}),
    ],
    "DELETE /api/v1/comments/{comment_id}": [
        needs("comments:write", url=f"{API}/comments/{NOBODYS}", status=404),
    ],
    "GET /api/v1/feed": [needs("posts:read", "follows:read")],
    "GET /api/v1/users/me": [needs("profile:read")],
    "PATCH /api/v1/users/me": [
        needs(*PROFILE, json={}),
        needs(*PROFILE, json={}, headers={"If-Match": '"0"'}, status=412),
    ],
    "GET /api/v1/users/me/export": [own("profile:read")],
    "GET /api/v1/users/me/mfa": [own("profile:read")],
    "GET /api/v1/users/me/tokens": [own("profile:read")],
    "GET /api/v1/users/me/tokens/{token_id}": [
        own("profile:read", url=f"{ME}/tokens/{{token_id}}")
    ],
    "POST /api/v1/users/me/tokens": [
        own(*PROFILE, json=PROOF | {"name": "x", "scopes": ["profile:read"]}, status=201)
    ],
    "DELETE /api/v1/users/me/tokens/{token_id}": [
        own(*PROFILE, url=f"{ME}/tokens/{{token_id}}", status=204)
    ],
    "GET /api/v1/auth/sessions": [own("profile:read")],
    "DELETE /api/v1/auth/sessions/{session_id}": [
        own(*PROFILE, url=f"{API}/auth/sessions/{NOBODYS}", status=404)
    ],
    "POST /api/v1/users/me/mfa/totp": [own(*PROFILE, json=PROOF)],
    "POST /api/v1/users/me/mfa/totp/confirm": [own(*PROFILE, json={"code": "1"}, status=400)],
    "POST /api/v1/users/me/mfa/recovery-codes": [
        own(*PROFILE, json=PROOF | {"code": "1"}, status=409)
    ],
    "DELETE /api/v1/users/me/mfa/totp": [own(*PROFILE, json=PROOF | {"code": "1"}, status=409)],
    "GET /api/v1/users": [needs("users:manage")],
    "GET /api/v1/users/{user}": [
        public(url=f"{API}/users/ann"),
        needs("users:manage", url=f"{API}/users/{{bob_id}}"),
    ],
    "PATCH /api/v1/users/{user:other}": [
        needs("users:manage", url=f"{API}/users/{{bob_id}}", json={"roles": ["moderator"]})
    ],
    "DELETE /api/v1/users/{user:other}/mfa": [
        needs("users:manage", url=f"{API}/users/{{bob_id}}/mfa", status=204)
    ],
    "POST /api/v1/users/{user:other}/sessions/end": [
        needs("users:manage", url=f"{API}/users/{{bob_id}}/sessions/end", status=204)
    ],
    "POST /api/v1/users/{user:other}/password/force-reset": [
        needs("users:manage", url=f"{API}/users/{{bob_id}}/password/force-reset", status=204)
    ],
    "GET /api/v1/usernames/{username}": [public(url=f"{API}/usernames/ann")],
    "GET /api/v1/audit-log": [needs("audit:read")],
    "GET /api/v1/webhooks": [needs("webhooks:manage")],
    "POST /api/v1/webhooks": [
        needs("webhooks:manage", json={"url": "https://b.example", "kinds": ["*"]}, status=201)
    ],
    "GET /api/v1/webhooks/{webhook_id}": [
        needs("webhooks:manage", url=f"{WEBHOOKS}/{{webhook_id}}")
    ],
    "PATCH /api/v1/webhooks/{webhook_id}": [
        needs("webhooks:manage", url=f"{WEBHOOKS}/{{webhook_id}}", json={})
    ],
    "DELETE /api/v1/webhooks/{webhook_id}": [
        needs("webhooks:manage", url=f"{WEBHOOKS}/{NOBODYS}", status=404)
    ],
    "GET /api/v1/webhooks/{webhook_id}/secret": [
        needs("webhooks:manage", url=f"{WEBHOOKS}/{{webhook_id}}/secret")
    ],
    "POST /api/v1/webhooks/{webhook_id}/rotate-secret": [
        needs("webhooks:manage", url=f"{WEBHOOKS}/{{webhook_id}}/rotate-secret")
    ],
    "POST /api/v1/webhooks/{webhook_id}/test": [
        needs("webhooks:manage", url=f"{WEBHOOKS}/{{webhook_id}}/test", status=202)
    ],
    "GET /api/v1/webhooks/{webhook_id}/deliveries": [
        needs("webhooks:manage", url=f"{WEBHOOKS}/{{webhook_id}}/deliveries")
    ],
    "POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry": [
        needs(
            "webhooks:manage",
            url=f"{WEBHOOKS}/{{webhook_id}}/deliveries/{NOBODYS}/retry",
            status=404,
        )
    ],
    "POST /api/v1/users/me/email": [
        own(*PROFILE, json=PROOF | {"new_email": "ann@x.test"}, status=422),
        own(*PROFILE, json=PROOF | {"new_email": "ann@soon.test"}, status=202),
    ],
    "POST /api/v1/users/me/password": [
        own(*PROFILE, json=PROOF | {"new_password": "ann@x.test"}, status=422),
        own(*PROFILE, json=PROOF | {"new_password": PASSWORD}, status=422),
    ],
    "POST /api/v1/auth/logout": [
        own("profile:write", json={"scope": "others"}, status=204),
        own(status=204),
    ],
    "DELETE /api/v1/users/me": [own(*PROFILE, json=PROOF, status=204)],
}
# What the world holds, and which scopes together may see it: any of the sets.
GUARDED: dict[str, list[set[str]]] = {
    "ann@x.test": [{"profile:read"}, {"users:manage"}],
    "ann@later.test": [{"profile:read"}],
    "name-of-a-token": [{"profile:read"}],
    "198.51.100.77": [{"profile:read"}],  # of a session
    "The secret title": [{"posts:read"}],
    "a-secret-text": [{"posts:read"}],
    '"liked":true': [{"posts:read"}],
    '"bookmarked":true': [{"posts:read"}],
    "key-of-ann": [set(OWN_READS)],
    "entry-about-ann": [{"audit:read"}, set(OWN_READS)],
    "entry-about-bob": [{"audit:read"}],
    "bob@x.test": [{"users:manage"}],
    "https://hooks.example/of-ann": [{"webhooks:manage"}],
}
World = dict[str, str]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings for many requests of one address."""
    return settings.model_copy(update={"email_links_per_hour": 1000})


@pytest.fixture
async def world(app: FastAPI, client: httpx.AsyncClient, accounts: Accounts) -> World:
    """Ann, who may have every scope, with something that each of them guards; and Bob."""
    await accounts.add("ann", roles=("admin",))
    await accounts.add("root", roles=("admin",))  # so that Ann may go
    ann, bob = await accounts.sign_in("ann"), await accounts.sign_in("bob")
    keyed = ann.headers | {"Idempotency-Key": "key-of-ann"}
    post = {"title": "The secret title", "body": "a-secret-text"}
    draft = (await client.post(POSTS, json=post, headers=keyed)).json()
    news = await write(client, ann, status="published")
    for liked in (draft, news):
        await client.put(f"{POSTS}/{liked['id']}/like", headers=ann.headers)
        await client.put(f"{POSTS}/{liked['id']}/bookmark", headers=ann.headers)
    token = await made(client, ann, name="name-of-a-token")
    webhook = await create(client, ann, "https://hooks.example/of-ann")
    now = app.state.clock.now()
    later = now + timedelta(days=1)
    async with app.state.database.independent_transaction() as session:
        session.add_all(
            [
                EmailLink(
                    user_id=UUID(ann.id),
                    purpose="change",
                    new_email="ann@later.test",
                    locale="en",
                    created_at=now,
                    expires_at=later,
                ),
                Session(
                    user_id=UUID(ann.id),
                    scope="",
                    address="198.51.100.77",
                    refresh_salt=b"",
                    created_at=now,
                    refreshed_at=now,
                    idle_expires_at=later,
                    expires_at=later,
                ),
            ]
        )
        for user in (ann, bob):
            user_id = UUID(user.id)
            await audit.record(
                session,
                "test",
                at=now,
                peer=None,
                user_id=user_id,
                entry=f"entry-about-{user.username}",
            )
    return {
        "draft_id": draft["id"],
        "draft_slug": draft["slug"],
        "news_id": news["id"],
        "token_id": token["id"],
        "webhook_id": webhook["id"],
        "bob_id": bob.id,
    }


@dataclass(frozen=True)
class Caller:
    """Ann with a token of some scopes, of a session or a personal one."""

    accounts: Accounts
    ann: Account
    scopes: frozenset[str]
    personal: bool

    async def headers(self) -> dict[str, str]:
        """The header of a new token: a call may end the one before."""
        scope = " ".join(sorted(self.scopes))
        if self.personal:
            return bearer(await made(self.accounts.client, self.ann, scopes=list(self.scopes)))
        tokens = (await self.accounts.token("ann", scope=scope)).json()
        assert set(tokens["scope"].split()) == self.scopes
        return {"Authorization": f"Bearer {tokens['access_token']}"}

    def may(self, call: Call) -> bool:
        """Whether the call is for such a token."""
        return call.scopes <= self.scopes and not (call.session and self.personal)

    def may_see(self, guarded: str) -> bool:
        """Whether one of the sets of scopes that see it is among those of the token."""
        return any(scopes <= self.scopes for scopes in GUARDED[guarded])


def declared(app: FastAPI) -> set[str]:
    """Every route of the application, of whatever router."""
    return {
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ("*",)
    }


async def send(
    client: httpx.AsyncClient, route: str, call: Call, world: World, headers: Mapping[str, str]
) -> httpx.Response:
    method, path = route.split(" ", 1)
    return await client.request(
        "GET" if method == "*" else method,
        (call.url or path).format_map(world),
        json=call.json,
        data=call.form,
        headers={**call.headers, **headers},
    )


def seen(answer: httpx.Response) -> set[str]:
    """What of the guarded is in an answer, its headers included."""
    text = f"{answer.text}\n{answer.headers}"
    return {guarded for guarded in GUARDED if guarded in text}


async def walk(client: httpx.AsyncClient, world: World, caller: Caller) -> None:
    """Make every call with such a token, and look at what comes back."""
    headers = await caller.headers()
    for route, calls in CALLS.items():
        for call in calls:
            if route.startswith("DELETE /api/v1/posts"):
                trash = await write(client, caller.ann, title="trash")
                world["trash_id"] = trash["id"]
            answer = await send(client, route, call, world, headers)
            of = f"{route} {call.url} with {sorted(caller.scopes)}: {answer.text}"
            assert {one for one in seen(answer) if not caller.may_see(one)} == set(), of
            if caller.may(call):
                assert answer.status_code == call.status, of
            elif "/posts/" in route and answer.status_code == 404:
                assert code(answer) == (404, "not_found"), of  # what one may not see
            else:
                assert answer.status_code == 403, of
                assert answer.json()["code"] in {"insufficient_scope", "session_required"}, of
            if caller.may(call) and not call.anonymous and not route.startswith("GET"):
                headers = await caller.headers()


def test_every_route_says_which_scopes_it_takes(app: FastAPI) -> None:
    assert declared(app) - CALLS.keys() == set(), "add what it takes to CALLS"
    assert CALLS.keys() - declared(app) == set()


def test_what_a_route_takes_is_in_its_document(app: FastAPI) -> None:
    by_path = {re.sub(r":\w+", "", route): calls for route, calls in CALLS.items()}
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            calls = by_path[f"{method.upper()} {path}"]
            asked = {
                scope
                for requirement in operation.get("security", ())
                for scope in requirement.get("BearerToken", ())
            }
            always = frozenset.intersection(*(call.scopes for call in calls))
            assert asked == always, f"{method} {path}"


def test_every_scope_is_one_that_a_route_takes() -> None:
    taken = frozenset[str]().union(*(call.scopes for calls in CALLS.values() for call in calls))
    assert taken == SCOPES.keys()


@pytest.mark.parametrize("scope", SCOPES)
async def test_one_scope_gets_nothing_that_another_guards(
    client: httpx.AsyncClient, accounts: Accounts, world: World, scope: str
) -> None:
    ann = await accounts.sign_in("ann")
    for personal in (True, False):
        await walk(client, world, Caller(accounts, ann, frozenset({scope}), personal))


async def test_what_a_route_takes_is_enough(
    client: httpx.AsyncClient, accounts: Accounts, world: World
) -> None:
    ann = await accounts.sign_in("ann")
    world["trash_id"] = (await write(client, ann, title="trash"))["id"]
    for route, calls in CALLS.items():
        for call in calls:
            caller = Caller(accounts, ann, call.scopes or frozenset(SCOPES), personal=False)
            answer = await send(client, route, call, world, await caller.headers())
            of = f"{route} {call.url}: {answer.text}"
            assert answer.status_code == call.status, of
            assert {one for one in seen(answer) if not caller.may_see(one)} == set(), of


async def test_without_a_token_nothing_guarded_is_to_be_had(
    client: httpx.AsyncClient, world: World
) -> None:
    world["trash_id"] = NOBODYS
    for route, calls in CALLS.items():
        for call in calls:
            answer = await send(client, route, call, world, {})
            of = f"{route} {call.url}: {answer.text}"
            assert seen(answer) == set(), of
            if not call.anonymous:
                assert answer.status_code in {401, 404}, of
