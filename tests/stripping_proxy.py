"""A proxy that serves other things too, and Plaza under a path, which it strips."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PREFIX = "/plaza"
HOP_BY_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


class StrippingProxy(ThreadingHTTPServer):
    """Passes on what is under the prefix to a port of this machine."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}{PREFIX}"
        self.target_port = 0


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, StrippingProxy)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not f"{self.path}/".startswith(f"{PREFIX}/"):
            self.send_error(404, "There are other things here")
            return
        connection = HTTPConnection("127.0.0.1", self.server.target_port)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        connection.request(self.command, self.path.removeprefix(PREFIX) or "/", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@contextmanager
def stripping_proxy() -> Iterator[StrippingProxy]:
    """A proxy that serves in a thread."""
    with StrippingProxy() as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
