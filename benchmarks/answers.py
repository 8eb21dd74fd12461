"""Every server must give the floor's answers before it is timed."""

import asyncio
import itertools
import json
import re
from collections.abc import Sequence
from typing import Any

from benchmarks.client import fetch
from benchmarks.load import NUMBER
from benchmarks.servers import Server
from benchmarks.workloads import Workload

COMPARED = 20
TIMEOUT = 10
# None that the load generator sends.
_numbers = itertools.count(10**7)
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
# What differs from one created post to the next, and the form it has.
_OF_THE_MOMENT = {
    "id": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "slug": r"[a-z-]+-[0-9]{8}",
    "title": r"[A-Za-z ]+ [0-9]{8}",
    "created_at": _TIME,
    "updated_at": _TIME,
}


class WrongAnswerError(Exception):
    """A server answered otherwise than the floor."""


async def compare_answers(floor: Server, others: Sequence[Server], workload: Workload) -> None:
    """Send a workload's first requests to every server.

    Raises:
        WrongAnswerError: a status is not the expected one, or a document not the floor's.
    """
    expected = [
        await _answer(floor, request, workload)
        for request in workload.requests(floor.name)[:COMPARED]
    ]
    for server in others:
        requests = workload.requests(server.name)[:COMPARED]
        for request, document in zip(requests, expected, strict=True):
            given = await _answer(server, request, workload)
            if given != document:
                difference = _difference(given, document, "the answer")
                raise WrongAnswerError(f"{workload.name}: {server.name}: {difference}")


async def _answer(server: Server, request: str, workload: Workload) -> Any:
    try:
        async with asyncio.timeout(TIMEOUT):
            sent = request.replace(NUMBER, f"{next(_numbers):08}")
            status, body = await _fetch(server, sent)
    except (OSError, EOFError) as error:
        raise WrongAnswerError(f"{workload.name}: {server.name} does not answer") from error
    if status != workload.status:
        raise WrongAnswerError(f"{workload.name}: {server.name} answers {status}: {body}")
    document = json.loads(body)
    if status == 201:
        for name, form in _OF_THE_MOMENT.items():
            if not re.fullmatch(form, document.pop(name)):
                raise WrongAnswerError(f"{workload.name}: {server.name}: wrong {name} in {body}")
    return document


async def _fetch(server: Server, request: str) -> tuple[int, str]:
    """The status and body of the answer, on a connection of its own."""
    connection = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        return await fetch(connection, request)
    finally:
        connection[1].close()


def _difference(given: object, expected: object, where: str) -> str:
    """The first place in which two documents differ."""
    if isinstance(given, list) and isinstance(expected, list) and len(given) == len(expected):
        given, expected = dict(enumerate(given)), dict(enumerate(expected))
    if isinstance(given, dict) and isinstance(expected, dict):
        for name in [*expected, *given]:
            if given.get(name, "absent") != expected.get(name, "absent"):
                return _difference(
                    given.get(name, "absent"), expected.get(name, "absent"), f"{where}.{name}"
                )
    return f"{where} is {given!r}, but {expected!r} in the floor's"
