"""Requests made from the OpenAPI document, valid and not, by schemathesis."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
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

from tests.support import Accounts, problem_type

EXAMPLES = 20  # of each operation, of each mode, signed in and not
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
few_and_the_same = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
Send = Callable[[requests.PreparedRequest], httpx.Response]


@pytest.fixture
def operations(app: FastAPI) -> list[Any]:
    """Every operation of the document."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    found = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        found.append(result.ok())
    return found


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def attack(operation: Any, mode: GenerationMode, headers: dict[str, str], send: Send) -> int:
    """Send an operation's examples, and return how many there were."""
    sent = 0

    @few_and_the_same
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        nonlocal sent
        arguments = case.as_transport_kwargs(base_url="http://plaza.test", headers=headers)
        answer = send(requests.Request(**arguments).prepare())
        case.validate_response(answer, checks=CHECKS)
        if answer.is_error:
            assert answer.headers["content-type"] == problem_type(answer)
            assert answer.json()["status"] == answer.status_code
        sent += 1

    with suppress(Unsatisfiable):  # there is nothing to say wrong to some operations
        check()
    return sent


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "anonymous"])
async def test_no_request_breaks_the_contract(
    client: httpx.AsyncClient,
    accounts: Accounts,
    operations: list[Any],
    mode: GenerationMode,
    signed_in: bool,  # noqa: FBT001 - pytest gives it by name
) -> None:
    loop = asyncio.get_running_loop()

    def send(request: requests.PreparedRequest) -> httpx.Response:
        assert request.method
        assert request.url
        assert request.body is None or isinstance(request.body, str | bytes)
        headers = [(_bytes(name), _bytes(value)) for name, value in request.headers.items()]
        answer = client.request(request.method, request.url, headers=headers, content=request.body)
        return asyncio.run_coroutine_threadsafe(answer, loop).result(10)

    sent = 0
    for number, operation in enumerate(operations):
        # A user for each: signing out and renaming are operations as well.
        headers = (await accounts.sign_in(f"user-{number}")).headers if signed_in else {}
        sent += await asyncio.to_thread(attack, operation, mode, headers, send)
    assert sent >= 10 * EXAMPLES
