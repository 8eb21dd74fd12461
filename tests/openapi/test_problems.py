"""Every operation lists the errors that its code raises, by status and code.

That all answers of all tests are listed is seen to by `require_declared` in tests/support.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from src.access.principals import BearerToken, InvalidRequestError, NotAuthenticatedError
from src.cli import main  # noqa: F401 - it imports every error
from src.config import Settings
from src.exceptions import (
    ConflictError,
    InternalError,
    NotFoundError,
    OverloadedError,
    PreconditionFailedError,
)
from src.http.problems import OAUTH_ENDPOINTS
from src.main import create_app
from src.openapi import raised
from src.openapi.raised import raised_by
from tests.openapi.test_document import OPERATIONS, operations
from tests.support import codes_of, own_errors, require_declared, resolved

if TYPE_CHECKING:
    from decimal import Decimal

ANY = {(400, "bad_request"), (500, "internal_error")}
LIMITED = {(429, "rate_limited")}
BODY = {(413, "content_too_large"), (415, "unsupported_media_type"), (422, "validation_error")}
DATABASE = {(503, "overloaded"), (503, "database_unavailable")}
TOKEN = {
    *((400, "malformed_credentials"), (401, "not_authenticated"), (401, "invalid_access_token")),
    (403, "insufficient_scope"),
}
EXPECTED = {
    "checkLiveness": ANY,
    "checkReadiness": ANY | DATABASE | {(503, "not_migrated")},
    "getServerMetadata": ANY | LIMITED,
    "getPost": ANY
    | LIMITED
    | DATABASE
    | (TOKEN - {(403, "insufficient_scope")})
    | {(404, "not_found"), (422, "validation_error")},
    "createPost": ANY
    | LIMITED
    | DATABASE
    | TOKEN
    | BODY
    | {(409, "conflict"), (409, "idempotency_key_in_use"), (422, "idempotency_key_reused")},
    "updateMe": ANY
    | LIMITED
    | DATABASE
    | TOKEN
    | BODY
    | {(404, "not_found"), (409, "conflict"), (409, "username_taken"), (409, "username_reserved")}
    | {(412, "precondition_failed")},
    "requestPasswordReset": ANY
    | LIMITED
    | DATABASE
    | BODY
    | {(409, "conflict"), (429, "too_many_requests")},
    "revokeToken": ANY
    | LIMITED
    | DATABASE
    | (BODY - {(422, "validation_error")})
    | {(400, "invalid_client"), (401, "invalid_client"), (400, "invalid_request")}
    | {(400, "invalid_grant"), (409, "conflict")},
}
# Answered to what is no request of an operation.
OF_NO_OPERATION = {
    *("method_not_allowed", "expectation_failed", "request_header_fields_too_large"),
    *("not_implemented", "http_version_not_supported", "local_only"),
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document."""
    data_dir = tmp_path_factory.mktemp("data")
    return create_app(Settings(_env_file=None, environment="test", data_dir=data_dir)).openapi()


@pytest.mark.parametrize("name", EXPECTED)
def test_an_operation_lists_its_errors_and_no_others(document: dict[str, Any], name: str) -> None:
    assert codes_of(document, dict(operations(document))[OPERATIONS[name]]) == EXPECTED[name]


def test_every_error_is_listed_somewhere_with_its_status(document: dict[str, Any]) -> None:
    own = set(own_errors())
    listed = set().union(*(codes_of(document, one) for _, one in operations(document)))
    assert listed <= {(kind.status, kind.code) for kind in own}
    assert {kind.code for kind in own} - {code for _, code in listed} == OF_NO_OPERATION


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        is_oauth = name.endswith(OAUTH_ENDPOINTS)
        expected = "application/json" if is_oauth else "application/problem+json"
        for status, one in operation["responses"].items():
            answer = resolved(document, one)
            if status >= "4":
                assert set(answer["content"]) == {expected}, f"{name} {status}"
                for _, code in codes_of(document, {"responses": {status: answer}}):
                    assert f"`{code}`: " in answer["description"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_what_is_not_listed_is_noticed() -> None:
    request = httpx.Request("GET", "http://plaza.test/api/v1/posts/1")
    await require_declared(httpx.Response(404, json={"code": "not_found"}, request=request))
    with pytest.raises(AssertionError, match="does not list"):
        await require_declared(httpx.Response(409, json={"code": "conflict"}, request=request))


class Store:
    """What functions below ask."""

    def __init__(self, other: "Store | None") -> None:
        self.again = other
        if other is self:
            raise PreconditionFailedError

    @property
    def rows(self) -> "list[Store]":
        raise OverloadedError

    def find(self) -> "Store":
        raise NotFoundError

    @staticmethod
    @lru_cache
    def guess() -> "Store":
        raise InternalError


STORE = Store(None)


def plain() -> None:
    raise NotFoundError


def by_helper() -> None:
    with suppress(ValueError):
        plain()


def by_method(store: Store) -> None:
    store.find()


def by_result(store: Store) -> None:
    found = store.find().again
    assert found
    found.guess()


def by_property(store: Store | None) -> int:
    return len(store.rows) if store else 0


def made_elsewhere() -> NotFoundError:
    return NotFoundError()


def by_value() -> None:
    raise made_elsewhere()


def given(error: NotFoundError | ConflictError) -> None:
    raise error


def caught(store: Store) -> None:
    try:
        store.find()
    except NotFoundError:
        raise ConflictError from None


def raised_again() -> None:
    try:
        plain()
    except NotFoundError:  # noqa: TRY203 - what has to be seen
        raise


def inside() -> Any:
    def nested() -> None:
        raise NotFoundError

    return nested


def itself(times: int) -> None:
    if times:
        itself(times - 1)
    raise NotFoundError


@contextmanager
def around() -> Iterator[Store]:
    yield Store.guess()


def in_a_block() -> None:
    with around() as store:
        store.find()


def documented() -> None:
    """A constraint of the database is not seen.

    Raises:
        ConflictError, PreconditionFailedError: as the caller knows,
            in more than one line.
        ValueError: of no interest.
    """


def harmless() -> type[NotFoundError]:
    """Raises: nothing, it only names one."""
    return NotFoundError


def for_type_checkers(row: "Decimal | None") -> None:
    if row is None:
        raise NotFoundError


@pytest.mark.parametrize(
    ("function", "errors"),
    [
        (plain, {NotFoundError}),
        (by_helper, {NotFoundError}),
        (by_method, {NotFoundError}),
        (by_result, {NotFoundError, InternalError}),
        (by_property, {OverloadedError}),
        (by_value, {NotFoundError}),
        (given, {NotFoundError, ConflictError}),
        (caught, {ConflictError}),
        (raised_again, {NotFoundError}),
        (inside, {NotFoundError}),
        (itself, {NotFoundError}),
        (in_a_block, {InternalError, NotFoundError}),
        (documented, {ConflictError, PreconditionFailedError}),
        (harmless, set()),
        (Path.exists, set()),
        (Store, {PreconditionFailedError}),
        (Store.find, {NotFoundError}),
        (STORE.find, {NotFoundError}),
        (partial(plain), set()),
        (lambda: STORE.find, set()),
        (BearerToken("x"), {NotAuthenticatedError, InvalidRequestError}),
        (for_type_checkers, {NotFoundError}),
    ],
)
def test_what_a_function_raises_is_found(
    monkeypatch: pytest.MonkeyPatch, function: Any, errors: set[Any]
) -> None:
    monkeypatch.setattr(raised, "OURS", ("src.", "tests."))
    assert raised_by(function) == errors


def names_a_stranger() -> None:
    """Do nothing.

    Raises:
        NoteExistsError: nobody imports that.
    """


def test_an_error_that_is_not_known_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raised, "OURS", ("src.", "tests."))
    with pytest.raises(LookupError, match=r"names_a_stranger: nobody imports {'NoteExistsError'}"):
        raised_by(names_a_stranger)
