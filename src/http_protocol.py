"""The HTTP protocol of the server: uvicorn's, with limits on what has not become a request yet."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 15.0  # from the connection, or a request's first byte, to the end of its head
BODY_SECONDS = 60.0  # from there to the end of its body

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes connections whose request head is too large or too slow, or whose body never ends.

    uvicorn itself waits for ever and collects headers of any size.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The seconds that the part of a request under way may take; 0 between requests.
        self._allowed = HEAD_SECONDS
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_allows = 0.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._allowed = 0
        self._set_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._allowed == HEAD_SECONDS:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()
        if self._allowed != self._deadline_allows:
            self._set_deadline()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._allowed = HEAD_SECONDS
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._allowed = BODY_SECONDS
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._allowed = 0
        super().on_message_complete()

    def _set_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._allowed:
            self._deadline = self.loop.call_later(self._allowed, self.transport.close)
        self._deadline_allows = self._allowed
