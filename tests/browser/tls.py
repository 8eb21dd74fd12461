"""TLS in front of a server, byte for byte."""

import socket
import ssl
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread


class TlsFront(ThreadingTCPServer):
    """Passes connections on to a port of this machine."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.port = self.server_address[1]
        self.target_port = 0
        self.context = context


class _Connection(BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, TlsFront)
        with (
            suppress(OSError),  # the browser went away
            self.server.context.wrap_socket(self.request, server_side=True) as here,
            socket.create_connection(("127.0.0.1", self.server.target_port)) as there,
        ):
            answering = Thread(target=_pass, args=(there, here), daemon=True)
            answering.start()
            _pass(here, there)
            answering.join()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
