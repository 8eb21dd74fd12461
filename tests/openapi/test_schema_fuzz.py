"""Requests made from the OpenAPI document, valid and not, by schemathesis."""

import asyncio
import re
from contextlib import suppress
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples_of
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from src.config import Settings
from tests.openapi.test_examples import takes_a_token
from tests.support import PASSWORD, Accounts, problem_type

pytestmark = pytest.mark.no_cover  # with it, this takes twice as long
EXAMPLES = {"anonymous": 2, "user": 2, "administrator": 6}  # of each operation, of each mode
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
# What is wrong with a value although it fits its schema: a schema cannot say it.
RULES = {
    *("text_empty", "text_invisible", "text_control_character", "text_line_break", "text_marks"),
    *("password_too_common", "password_is_email", "password_same", "password_invalid"),
    *("email_invalid", "tag_invalid", "cursor_invalid", "full_texts_too_many"),
    *("comment_unknown", "comment_too_deep"),
    *("webhook_url_invalid", "webhook_url_insecure", "webhook_address_refused"),
}
_PARAMETER = re.compile(r"\{(\w+)\}")
# What takes more than a signed-in administrator: something mailed, a code, a client, an origin, a
# plain URL.
NEVER_SUCCEED = {
    f"{method} /api/v1/{path}"
    for method, path in (
        ("POST", "auth/email/confirm"),
        ("POST", "auth/password/reset"),
        ("POST", "auth/introspect"),
        ("POST", "auth/token"),
        ("POST", "auth/web/login"),
        ("POST", "auth/web/logout"),
        ("POST", "auth/web/refresh"),
        ("GET", "auth/web/session"),
        ("POST", "webhooks"),
        ("DELETE", "users/me/mfa/totp"),
        ("POST", "users/me/mfa/totp/confirm"),
        ("POST", "users/me/mfa/recovery-codes"),
    )
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Wrong passwords and codes are not held up: nothing else would be seen after a few."""
    many = dict.fromkeys(
        ("failures_per_account", "failures_per_address", "failures_per_pair"), 100_000
    )
    return settings.model_copy(update=many)


@pytest.fixture
def operations(app: FastAPI) -> list[Any]:
    """Every operation of the document."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]  # of the longest ones
    found = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        found.append(result.ok())
    return found


class Caller:
    """Sends requests with the token of an account, and makes a new one when that has ended."""

    def __init__(self, client: httpx.AsyncClient, accounts: Accounts, role: str) -> None:
        self._client = client
        self._accounts = accounts
        self._role = role
        self._loop = asyncio.get_running_loop()
        self.headers: dict[str, str] = {}
        self.known: dict[str, str] = {}  # values of path parameters

    async def prepare(self, name: str) -> None:
        """A new account, if there is a role, with what requests can be about."""
        if self._role == "anonymous":
            return
        roles = ("admin",) if self._role == "administrator" else ()
        await self._accounts.add(name, roles=roles)
        me = await self._accounts.sign_in(name)
        self.headers = me.headers
        other = await self._accounts.add(f"{name}-other")
        post = await self._client.post(
            "/api/v1/posts",
            json={"title": "x", "body": "x", "status": "published"},
            headers=self.headers,
        )
        comments = f"{post.headers['location']}/comments"
        comment = await self._client.post(comments, json={"body": "x"}, headers=self.headers)
        token = await self._client.post(
            "/api/v1/users/me/tokens",
            json={"current_password": PASSWORD, "name": "x", "scopes": ["posts:read"]},
            headers=self.headers,
        )
        sessions = await self._client.get("/api/v1/auth/sessions", headers=self.headers)
        self.known = {
            "post_id": post.json()["id"],
            "comment_id": comment.json()["id"],
            "username": f"{name}-other",
            "token_id": token.json()["id"],
            "session_id": sessions.json()["items"][0]["id"],
            "user": str(other.id),
        }
        if self._role == "administrator":
            await self._prepare_webhook()

    async def _prepare_webhook(self) -> None:
        """A webhook, of which there can be few."""
        data = {"url": "https://hooks.example", "kinds": ["*"]}
        url = "/api/v1/webhooks"
        await self._client.post(url, json=data, headers=self.headers)
        listed = await self._client.get(url, headers=self.headers)
        self.known["webhook_id"] = listed.json()["items"][0]["id"]

    def send(self, case: Any, *, with_token: bool) -> httpx.Response:
        """The answer to a case, from another thread."""
        own = self.headers if with_token else {}
        arguments = case.as_transport_kwargs(base_url="http://plaza.test", headers=own)
        request = requests.Request(**arguments).prepare()
        return asyncio.run_coroutine_threadsafe(self._send(request), self._loop).result(20)

    async def _send(self, request: requests.PreparedRequest) -> httpx.Response:
        assert request.method
        assert request.url
        assert request.body is None or isinstance(request.body, str | bytes)
        headers = [(_bytes(name), _bytes(value)) for name, value in request.headers.items()]
        return await self._client.request(
            request.method, request.url, headers=headers, content=request.body
        )

    def renew(self, name: str) -> None:
        """Another account, since the last request ended this one's session."""
        asyncio.run_coroutine_threadsafe(self.prepare(name), self._loop).result(20)


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def fill_in(case: Any, known: dict[str, str]) -> None:
    """Let a valid case be about something that exists."""
    for name in (case.path_parameters or {}).keys() & known.keys():
        case.path_parameters[name] = known[name]
    if isinstance(case.body, dict) and "current_password" in case.body:
        case.body["current_password"] = PASSWORD
    (case.headers or {}).pop("If-Match", None)


def refused_by_a_rule(answer: httpx.Response) -> bool:
    """Whether a request that fits the schema was refused for what no schema says."""
    if answer.status_code == 422:
        return {error["type"] for error in answer.json().get("errors", ())} <= RULES
    return answer.status_code not in {405, 413, 415} and answer.json()["code"] != "bad_request"


class Attack:
    """The examples of one operation."""

    def __init__(self, operation: Any, mode: GenerationMode, caller: Caller, name: str) -> None:
        self._operation = operation
        self._mode = mode
        self._caller = caller
        self._name = name
        self.sent = 0
        self.succeeded = False
        self.refused: list[str] = []  # although they fit the schema

    def run(self, examples: int) -> None:
        """Send them."""

        @examples_of(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=self._operation.as_strategy(generation_mode=self._mode))
        def check(case: Any) -> None:
            self._check(case)

        with suppress(Unsatisfiable):  # there is nothing to say wrong to some operations
            check()

    def _check(self, case: Any) -> None:
        positive, caller = self._mode is GenerationMode.POSITIVE, self._caller
        if positive and self.sent % 2:
            fill_in(case, caller.known)
        with_token = takes_a_token(self._operation.definition.raw)
        answer = caller.send(case, with_token=with_token)
        if answer.status_code == 401 and caller.headers and with_token:
            caller.renew(f"{self._name}-{self.sent}")
            answer = caller.send(case, with_token=with_token)
            assert answer.status_code != 401, "signed in anew, and not let in"
        case.validate_response(answer, checks=CHECKS)
        if answer.is_error:
            assert answer.headers["content-type"] == problem_type(answer)
            assert answer.json()["status"] == answer.status_code
            if positive and not refused_by_a_rule(answer):
                self.refused.append(f"{self._operation.label} {case} {answer.text}")
        self.sent += 1
        self.succeeded |= answer.is_success


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("role", EXAMPLES)
async def test_no_request_breaks_the_contract(
    client: httpx.AsyncClient,
    accounts: Accounts,
    operations: list[Any],
    mode: GenerationMode,
    role: str,
) -> None:
    caller = Caller(client, accounts, role)
    attacks = {}
    for number, operation in enumerate(operations):
        name = f"user-{number}"
        await caller.prepare(name)
        attack = attacks[operation.label] = Attack(operation, mode, caller, name)
        await asyncio.to_thread(attack.run, EXAMPLES[role])
    assert sum(attack.sent for attack in attacks.values()) >= 10 * EXAMPLES[role]
    assert [text for attack in attacks.values() for text in attack.refused] == []
    if mode is GenerationMode.POSITIVE and role == "administrator":
        failed = {label for label, attack in attacks.items() if not attack.succeeded}
        of_nothing = {
            label for label in failed if not set(_PARAMETER.findall(label)) <= caller.known.keys()
        }
        assert failed - of_nothing == NEVER_SUCCEED
