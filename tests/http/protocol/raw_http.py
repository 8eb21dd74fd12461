"""A server on a socket, and bytes to send to it."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.support import PATIENCE_SECONDS


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[uvicorn.Server]:
    """A server with our protocol."""
    config = uvicorn.Config(
        app,
        port=0,
        http="src.http.protocol.connection:HttpProtocol",
        log_config=None,
        lifespan="off",
        timeout_keep_alive=1,
        timeout_graceful_shutdown=int(PATIENCE_SECONDS),
        server_header=False,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    await server.on_tick(0)  # makes the first Date
    ticking = asyncio.create_task(server.main_loop())
    yield server
    # As uvicorn ends, but without the tenths of a second that it sleeps on the way.
    ticking.cancel()
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    await until_open(server, connections=0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await server._wait_tasks_to_complete()


def port_of(server: uvicorn.Server) -> int:
    """Where it listens."""
    number: int = server.servers[0].sockets[0].getsockname()[1]
    return number


async def converse(port: int, *pieces: bytes, pause: float = 0.0, ends: bool = False) -> bytes:
    """What the server answers to the pieces until it closes the connection.

    With `ends` the client closes its side after them.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause)
        if ends:
            writer.write_eof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reader.read()
    except OSError:
        return b"reset"
    finally:
        writer.close()


def statuses(answers: bytes) -> list[int]:
    """The statuses of those answers."""
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", answers)]


def connect(port: int) -> socket.socket:
    """A connection with a small buffer, which nobody reads from."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    return client


async def until_open(server: uvicorn.Server, connections: int) -> None:
    """Wait until the server has so many connections."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(server.server_state.connections) != connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
