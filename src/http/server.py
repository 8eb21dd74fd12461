"""The server process: its sockets, its room for clients, and uvicorn's run."""

import errno
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import typer
import uvicorn
from fastapi import FastAPI

from src.addresses.localhost import bind
from src.config import LOGGING_CONFIG, Settings
from src.http.protocol.admission import MAX_CONNECTIONS
from src.http.protocol.connection import RECEIVED_BYTES, HttpProtocol

GRACEFUL_SECONDS = 20
# Longer than proxies keep an idle connection, mostly 60 s: none finds it closed under its request.
KEEP_ALIVE_SECONDS = 75
BODIES_AT_ONCE = 8  # of the largest size, for which there is memory at least
OWN_DESCRIPTORS = 100  # files and connections of a server beside its clients and the database


class Server(uvicorn.Server):
    """uvicorn's, which says where Plaza runs once it listens."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets:
            self._log_started_message(sockets)
        if self._settings.environment == "local":
            url = self._settings.public_url
            typer.echo(
                f"Plaza runs at {url}\n"
                f"  API documentation  {url}/docs\n"
                f"  local mailbox      {url}/dev/mailbox",
                err=True,
            )


@contextmanager
def bound(settings: Settings) -> Iterator[list[socket.socket]]:
    """Sockets that have the port and do not listen yet: it is taken before anything is started.

    Raises:
        RuntimeError: the server could not listen.
    """
    try:
        sockets = bind(settings.host, settings.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {settings.port} of {settings.host} is taken: set PORT to a free one"
            raise RuntimeError(message) from None
        message = f"HOST {settings.host} with PORT {settings.port}: {error.strerror}"
        raise RuntimeError(message) from None
    except UnicodeError:
        raise RuntimeError(f"HOST {settings.host} is no name of a machine") from None
    with ExitStack() as opened:
        for one in sockets:
            opened.enter_context(one)
        yield sockets


def run(app: FastAPI, settings: Settings, sockets: list[socket.socket]) -> None:
    """Serve until a signal ends it."""
    HttpProtocol.admission.limit = _room_for_clients(settings)
    HttpProtocol.received.limit = max(RECEIVED_BYTES, BODIES_AT_ONCE * settings.max_body_bytes)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http="src.http.protocol.connection:HttpProtocol",
        ws="none",
        log_config=str(LOGGING_CONFIG),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    with suppress(KeyboardInterrupt):
        Server(config, settings).run(sockets)


def _room_for_clients(settings: Settings) -> int:
    """How many connections of clients the process has descriptors for, up to MAX_CONNECTIONS."""
    own = OWN_DESCRIPTORS + 2 * settings.database_pool_size + settings.read_pool_size
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < own + MAX_CONNECTIONS:
        soft = min(own + MAX_CONNECTIONS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(max(soft - own, soft // 2), MAX_CONNECTIONS)
