"""The HTTP protocol of the server: uvicorn's, with limits on connections beside the requests."""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_CONNECTIONS = 10_000
MAX_HEAD_BYTES = 64 * 1024  # and as many between or after the chunks of a body
MAX_PIPELINED = 16  # complete requests that wait for the answers to earlier ones
HEAD_SECONDS = 15.0  # from the connection, or a request's first byte, to the end of its head
BODY_SECONDS = 60.0  # from there to the end of its body
WRITE_SECONDS = 30.0  # for the client to read what is unsent, or 64 KiB of it

_BAD = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"Connection: close\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%b"
)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Connection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"
)


class _TooManyPipelinedError(Exception):
    """Stops the parser in the middle of what was read."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes connections that are too many, or whose client sends too much, or is too slow.

    uvicorn itself accepts any number, waits for ever, and collects headers of any size and any
    number of pipelined requests.
    """

    max_connections: ClassVar[int] = MAX_CONNECTIONS
    # Those between requests, and those whose request is not complete, the longest waiting first.
    _idle: ClassVar["dict[BoundedHttpProtocol, None]"] = {}
    _unfinished: ClassVar["dict[BoundedHttpProtocol, None]"] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The seconds that the part of a request under way may take; 0 between requests.
        self._allowed = HEAD_SECONDS
        # What was read after the read that brought the latest piece of a body or end of a request.
        self._overhead = 0
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_allows = 0.0
        self._write_deadline: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.max_connections and not self._make_room():
            transport.write(_TOO_MANY)
            self._close()
            return
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._allowed = 0
        self._set_deadline()
        self._unset_write_deadline()
        self._idle.pop(self, None)
        super().connection_lost(exc)
        # uvicorn tells the newest request only; the one under way would write, which is an error.
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._overhead += len(data)
        super().data_received(data)
        if (
            not self._allowed
            and self.timeout_keep_alive_task is None
            and self in self.connections  # not a WebSocket by now
            and self.cycle.response_complete
        ):
            # An empty line, or the rest of a body after its answer: it ended uvicorn's time limit
            # between requests and began no request.
            self._allowed = HEAD_SECONDS
        if self._overhead > MAX_HEAD_BYTES and not self._refused:
            self._refuse(_TOO_LARGE)
        if self._allowed != self._deadline_allows:
            self._set_deadline()

    def eof_received(self) -> bool:  # type: ignore[override]
        return self._end()  # the client may still read

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _TooManyPipelinedError
        super().on_message_begin()
        self._allowed = HEAD_SECONDS
        self._idle.pop(self, None)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._allowed = BODY_SECONDS
        self.headers = self.headers.copy()  # trailers are added to it, which are no headers

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._allowed = 0
        self._overhead = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._set_write_deadline()
        elif not self._allowed and self.cycle.response_complete:
            self._idle[self] = None

    def send_400_response(self, msg: str) -> None:
        self._refuse(_BAD % (len(msg), msg.encode()))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_write_deadline()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():  # else the rest has to be read as well
            self._unset_write_deadline()

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def _make_room(self) -> bool:
        """Give up the connection that has waited longest for a request, or the rest of one.

        But none that still reads an answer.
        """
        for waiting in (self._idle, self._unfinished):
            read = (client for client in waiting if not client.transport.get_write_buffer_size())
            oldest = next(read, None)
            if oldest is not None:
                del waiting[oldest]
                oldest.transport.abort()
                return True
        return False

    def _refuse(self, answer: bytes) -> None:
        """Take no more from the client and close, after the answers under way or this one."""
        self._refused = True
        if self._end():
            return
        in_body = self._allowed == BODY_SECONDS
        if not (in_body and (self.pipeline or self.cycle.response_started)):
            self.transport.write(answer)
        self._close()

    def _end(self) -> bool:
        """Close after the answers to complete requests; False if there are none to wait for."""
        if (
            self._running is None  # no request yet
            or self.cycle.response_complete
            or self._allowed == BODY_SECONDS
        ):
            return False
        self.cycle.keep_alive = False
        self._allowed = 0
        self._set_deadline()
        return True

    def _set_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._allowed:
            self._deadline = self.loop.call_later(self._allowed, self._give_up)
            self._unfinished[self] = None
        else:
            self._unfinished.pop(self, None)
        self._deadline_allows = self._allowed

    def _give_up(self) -> None:
        if not self._end():
            self._close()

    def _close(self) -> None:
        self.transport.close()
        self._set_write_deadline()  # close() waits until everything is sent

    def _set_write_deadline(self) -> None:
        if self._write_deadline is None:
            unsent = self.transport.get_write_buffer_size()
            self._write_deadline = self.loop.call_later(WRITE_SECONDS, self._check_unsent, unsent)

    def _unset_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _check_unsent(self, before: int) -> None:
        self._write_deadline = None
        if before - self.transport.get_write_buffer_size() < HIGH_WATER_LIMIT:
            self.transport.abort()
        else:
            self._set_write_deadline()
