"""A way to PostgreSQL that a test can cut, or make silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit, urlunsplit


@dataclass(slots=True)
class Proxy:
    """Passes connections on to PostgreSQL while it is up."""

    target: str
    port: int = 0
    _up: bool = False
    _listener: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _gates: list[asyncio.Event] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The database's URL by way of this proxy."""
        parts = urlsplit(self.target)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(
            parts._replace(netloc=f"{user}@127.0.0.1:{self.port}", query="sslmode=disable")
        )

    async def start(self) -> None:
        """Listen on a free port."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    def up(self) -> None:
        """Let new connections pass; silenced ones stay silent."""
        self._up = True
        self._gates.append(asyncio.Event())
        self._gates[-1].set()

    async def down(self) -> None:
        """Cut every connection, and new ones as soon as they are made."""
        self._up = False
        for writer in self._writers:
            writer.transport.abort()
        for gate in self._gates:  # whoever waits at one finds their connection cut
            gate.set()
        await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Listen no more."""
        await self.down()
        if self._listener:
            self._listener.close()

    def silence(self) -> None:
        """Let nothing pass any more, without a word: a network that swallows packets."""
        self._gates[-1].clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._up:
            writer.transport.abort()
            return
        self._writers.add(writer)
        parts = urlsplit(self.target)
        if host := parse_qs(parts.query).get("host"):
            there = await asyncio.open_unix_connection(f"{host[0]}/.s.PGSQL.{parts.port or 5432}")
        else:
            there = await asyncio.open_connection(parts.hostname, parts.port or 5432)
        self._writers.add(there[1])
        gate = self._gates[-1]
        await asyncio.gather(_pass(reader, there[1], gate), _pass(there[0], writer, gate))


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event
) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            await gate.wait()
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    """A proxy that is up."""
    proxy = Proxy(url)
    await proxy.start()
    proxy.up()
    try:
        yield proxy
    finally:
        await proxy.stop()
