"""The online check of breached passwords: what is sent, what is refused, and that it fails open."""

import asyncio
import gzip
import hashlib
import logging
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI

from src.auth.passwords import breached as breached_passwords
from src.auth.passwords.breached import BreachedPasswords
from src.config import Settings
from tests.auth.support import REGISTER, code

BREACHED = "correct horse battery staple"
NFC = unicodedata.normalize("NFC", "\u00e4\u0439 long enough")
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def sha1(password: str) -> str:
    """As Pwned Passwords writes it."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def line(password: str, count: int = 3) -> str:
    """What the service says of a password."""
    return f"{sha1(password)[5:]}:{count}"


def ok(*lines: str, headers: str = "") -> Answer:
    """A list of lines, between others."""
    body = "\r\n".join([line("some"), *lines, line("other")])
    return raw(f"HTTP/1.1 200 OK\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode())


def raw(answer: bytes) -> Answer:
    """These very bytes, and the end."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return write


@dataclass(slots=True)
class Service:
    """A service of breached passwords on a real socket."""

    answer: Answer = field(default_factory=ok)
    heads: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where the prefix is appended."""
        return f"http://127.0.0.1:{self.port}/range"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await self.answer(writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service that knows nothing of interest."""
    service = Service()
    async with await asyncio.start_server(service.serve, "127.0.0.1", 0) as server:
        service.port = server.sockets[0].getsockname()[1]
        yield service


@pytest.fixture
def settings(settings: Settings, service: Service) -> Settings:
    """Settings with the service."""
    return settings.model_copy(update={"breached_passwords_url": service.url})


@pytest.fixture
async def breached(service: Service) -> AsyncIterator[BreachedPasswords]:
    """The check alone."""
    breached = BreachedPasswords(service.url)
    yield breached
    await breached.close()


async def register(client: httpx.AsyncClient, password: str) -> httpx.Response:
    return await client.post(REGISTER, json={"email": "ann@x.test", "password": password})


async def test_a_breached_password_is_a_422_that_says_so(
    client: httpx.AsyncClient, service: Service
) -> None:
    service.answer = ok(line(BREACHED))
    answer = await register(client, BREACHED)
    assert code(answer) == (422, "validation_error")
    [error] = answer.json()["errors"]
    assert error["loc"] == ["body", "password"]
    assert error["type"] == "password_breached"
    assert "breach" in error["msg"]
    assert (await register(client, "a password of my own")).status_code == 202


async def test_five_characters_of_the_hash_and_nothing_else_are_told(
    client: httpx.AsyncClient, service: Service
) -> None:
    assert (await register(client, BREACHED)).status_code == 202
    [head] = service.heads
    assert head.startswith(f"GET /range/{sha1(BREACHED)[:5]} HTTP/1.1\r\n")
    assert "\r\nadd-padding: true\r\n" in head.lower()
    told = head.lower().replace(sha1(BREACHED)[:5].lower(), "")
    for start in range(35):
        assert sha1(BREACHED)[start : start + 6].lower() not in told
    assert "ann" not in told
    assert "horse" not in told


async def test_a_password_is_hashed_in_the_form_it_is_kept_in(
    client: httpx.AsyncClient, service: Service
) -> None:
    service.answer = ok(line(NFC))
    answer = await register(client, unicodedata.normalize("NFD", NFC))
    assert answer.json()["errors"][0]["type"] == "password_breached"


async def test_a_weak_password_is_not_asked_about(
    client: httpx.AsyncClient, service: Service
) -> None:
    assert (await register(client, "password")).status_code == 422
    assert service.heads == []


async def test_without_a_service_nothing_is_known() -> None:
    breached = BreachedPasswords(None)
    assert not await breached.knows("password")
    await breached.close()


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (line(BREACHED), True),
        (line(BREACHED).lower(), True),
        (line(BREACHED, 10_000_000), True),
        (line(BREACHED, 0), False),  # padding
        (line("another one"), False),
        (sha1(BREACHED)[5:], False),
        (f"{sha1(BREACHED)[5:]}:", False),
        (f"{sha1(BREACHED)[5:]}:-1", False),
        (f"A{line(BREACHED)}", False),
        (sha1(BREACHED), False),
    ],
)
async def test_a_line_counts_if_it_is_the_rest_of_the_hash_and_no_padding(
    breached: BreachedPasswords, service: Service, said: str, *, known: bool
) -> None:
    service.answer = ok(said)
    assert await breached.knows(BREACHED) is known


async def test_the_first_and_the_last_line_count_too(
    breached: BreachedPasswords, service: Service
) -> None:
    for lines in ([line(BREACHED), line("b")], [line("b"), line(BREACHED)], [line(BREACHED)]):
        body = "\r\n".join(lines)
        service.answer = raw(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())
        assert await breached.knows(BREACHED)


async def test_an_empty_list_is_an_answer(
    breached: BreachedPasswords, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert not await breached.knows(BREACHED)
    assert not caplog.records


async def silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(f"{line('some')}\r\n".encode() * 1000)
        await writer.drain()


async def dripping(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + f"{line(BREACHED)}\r\n".encode())
    while True:
        writer.write(f"{line('some')}\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.02)


async def endless_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: and more\r\n" * 1000)
        await writer.drain()


FOUND = line(BREACHED)
USELESS: dict[str, Answer] = {
    "error": raw(f"HTTP/1.1 500 Oops\r\nContent-Length: {len(FOUND)}\r\n\r\n{FOUND}".encode()),
    "not found": raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    "redirect": raw(b"HTTP/1.1 302 Found\r\nLocation: /range/other\r\nContent-Length: 0\r\n\r\n"),
    "page": raw(f"HTTP/1.0 200 OK\r\n\r\n<html>\r\n{FOUND}</html>".encode()),
    "garbage": raw(bytes(range(256)) * 100),
    "compressed": raw(
        b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(FOUND.encode())
    ),
    "cut off": raw(f"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{FOUND}\r\n".encode()),
    "nothing": raw(b""),
    "silent": silent,
    "endless": endless,
    "endless headers": endless_headers,
    "dripping": dripping,
}


@pytest.mark.parametrize("name", [*USELESS, "refused"])
async def test_a_useless_service_is_passed_over_with_a_word_in_the_log(
    service: Service,
    name: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(breached_passwords, "ANSWER_SECONDS", 0.4)
    service.answer = USELESS.get(name, silent)
    breached = BreachedPasswords("http://127.0.0.1:9/range" if name == "refused" else service.url)
    async with asyncio.timeout(2):
        assert not await breached.knows(BREACHED)
    await breached.close()
    assert len(service.heads) == (name != "refused")  # a redirect is not followed
    [record] = [one for one in caplog.records if one.name == "src.auth.passwords.breached"]
    assert record.levelno == logging.WARNING
    logged = " ".join(one.getMessage() for one in caplog.records)
    assert sha1(BREACHED)[:5] not in logged
    assert BREACHED not in logged


async def test_an_endless_answer_is_read_no_further_than_its_limit(
    breached: BreachedPasswords, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, chunk = 0, f"{line('some')}\r\n".encode() * 100

    async def counted(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(chunk)
            sent += len(chunk)
            await writer.drain()

    service.answer = counted
    monkeypatch.setattr(breached_passwords, "ANSWER_SECONDS", 30)
    async with asyncio.timeout(20):
        assert not await breached.knows(BREACHED)
    # What the kernel and the client's one read of 64 KiB hold is sent too.
    assert sent < breached_passwords.MAX_ANSWER_BYTES + 8 * 1024 * 1024


async def test_no_connection_to_the_database_is_held_meanwhile(
    app: FastAPI, client: httpx.AsyncClient, service: Service
) -> None:
    service.answer = silent
    waiting = asyncio.create_task(register(client, BREACHED))
    async with asyncio.timeout(5):
        while not service.heads:  # noqa: ASYNC110 - the socket tells nobody
            await asyncio.sleep(0.01)
    database = app.state.database
    assert database.engine.pool.checkedout() == 0
    assert not database.reads._in_use_since
    assert not database.writes._in_use_since
    assert (await waiting).status_code == 202
