"""The HTTP protocol of the server: HTTP/1.1 on llhttp (RFC 9112), in uvicorn's place.

A request is read by its framing, or nothing after it is read. What bounds connections, and the
reasons, are in docs/decisions/http-server.md.
"""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, ClassVar

import uvicorn
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from src.exceptions import AppError, InternalError, OverloadedError
from src.http.protocol.admission import MAX_CONNECTIONS, Admission
from src.http.protocol.byte_budget import ByteBudget, give_back_memory
from src.http.protocol.deadline import Deadline
from src.http.protocol.exchange import CLIENT_GONE, Exchange, Headers
from src.http.protocol.inlet import Inlet
from src.http.protocol.outlet import Outlet
from src.http.protocol.pipeline import Pipeline
from src.http.protocol.reader import RequestReader
from src.http.protocol.refusals import encoded

MAX_BUFFERED = 64 * 1024  # of a body that the application does not read
RECEIVED_BYTES = 64 * 1024 * 1024  # of all requests that are not answered, heads and bodies
READ_BYTES = 32 * 1024  # at once, so that a client holds no more with requests that it sends ahead
REQUEST_BYTES = 2048  # of them, what a request takes beside its own
HEAD_SECONDS = 15.0  # from the connection, or a request's first byte, to the end of its head
BODY_SECONDS = 60.0  # from there to the end of its body
LINGER_SECONDS = 2.0  # for a client to close its side after the last answer


class HttpProtocol(asyncio.BufferedProtocol):
    """One connection."""

    admission: ClassVar["Admission[HttpProtocol]"] = Admission(MAX_CONNECTIONS)
    received: ClassVar["ByteBudget[HttpProtocol]"] = ByteBudget(RECEIVED_BYTES)
    _buffer: ClassVar = bytearray(READ_BYTES)

    transport: asyncio.Transport
    outlet: Outlet

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._reader = RequestReader(self)
        self._scope: dict[str, Any] = {}
        self._requests = Pipeline()
        self._read = 0  # bytes of the latest read that are not counted
        self._deaf = False  # nothing more is parsed
        self._ended = asyncio.Event()  # the client sends no more
        # What the client has for what is expected of it since the latest read, 0 for nothing; None:
        # nothing else is.
        self._patience: float | None = None
        self._deadline = Deadline(self._loop, self._give_up)

    # What the transport calls (asyncio.BufferedProtocol)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._inlet, self.outlet = Inlet(transport), Outlet(transport, self._loop)
        connections: set[Any] = self._state.connections
        connections.add(self)
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "http",
            "server": get_local_addr(transport),
            "client": get_remote_addr(transport),
            "root_path": self._config.root_path,
            "extensions": {CLIENT_GONE: self._ended},
        }
        if len(connections) > self.admission.limit and not self.admission.make_room():
            self._deaf = True
            transport.write(encoded(OverloadedError(), self.answer_headers, silent=True))
            transport.close()
        else:
            self._expect(HEAD_SECONDS)

    def connection_lost(self, _: Exception | None) -> None:
        connections: set[Any] = self._state.connections
        connections.discard(self)
        self._deaf = True
        self._ended.set()
        self._expect(0)
        self._deadline.cancel()
        self.admission.forget(self)
        self.outlet.free()
        self._drop_request()
        for exchange in self._requests.clear():
            self.received.release(exchange.size)
            exchange.leave()
        if self.received.is_relieved() or self.outlet.unsent.is_relieved():
            give_back_memory(self._loop)

    def get_buffer(self, _: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._deaf:
            return
        self._read = nbytes
        if not self.received.make_room(self, nbytes, HttpProtocol._refuse_overload):
            return
        if self._reader.in_request and not self._requests.discards:
            self._hold(0)
        try:
            self._reader.feed(bytes(memoryview(self._buffer)[:nbytes]))
        except AppError as refusal:
            self._stop(refusal)
            return
        if not self._reader.in_request:
            self.received.drop(self)
        patience, self._patience = self._patience, None
        if patience is not None:
            self._expect(patience)

    def eof_received(self) -> bool:
        """Answer what is complete: the client may still read."""
        self._ended.set()
        return self._stop()

    def pause_writing(self) -> None:
        self.outlet.block()

    def resume_writing(self) -> None:
        self.outlet.free()

    # What the reader calls (Receiver)

    def begins(self) -> None:
        self._requests.require_room()
        self._hold(REQUEST_BYTES)
        self._patience = HEAD_SECONDS
        self.admission.begins(self)

    def head(self, scope: MutableMapping[str, Any], *, last: bool, expects_continue: bool) -> None:
        scope = {**self._scope, **scope, "state": self._app_state.copy()}
        exchange = Exchange(self, scope, last=last, expects_continue=expects_continue)
        self._patience = BODY_SECONDS
        if self._requests.add(exchange):
            self._start(exchange)
        else:
            self._inlet.close()

    def body(self, data: bytes) -> None:
        exchange = self._requests.newest
        if exchange and not exchange.over:
            exchange.add(data)
            if exchange.buffered > MAX_BUFFERED:
                self._inlet.close()

    def ends(self) -> None:
        exchange = self._requests.newest
        if exchange is None:
            return
        exchange.complete()
        if exchange.answered:
            self._requests.newest = None
            self._patience = self._config.timeout_keep_alive
            self.admission.rests(self)
        else:
            exchange.size = self.received.take_out(self, self._reader.size + REQUEST_BYTES)
            self._patience = 0

    # What exchanges call (Connection)

    @property
    def answer_headers(self) -> Headers:
        """The headers of every answer: `Date`, which uvicorn renews every second."""
        return self._state.default_headers

    def resume_reading(self, exchange: Exchange | None) -> None:
        """Read on, if it is for this exchange."""
        if exchange is self._requests.newest:
            self._inlet.open()

    def answered(self, exchange: Exchange) -> None:
        """Go on to the next request, or close."""
        self._state.total_requests += 1
        self.received.release(exchange.size)
        if exchange.last:
            self._requests.running = None
            self._finish()
            return
        if following := self._requests.next():
            self._start(following)
        elif not exchange.whole:
            self.received.drop(self)  # the rest of its body is read and thrown away
        elif not self._reader.in_request:
            self._requests.newest = None  # with all that it takes
            self.admission.rests(self)
            self._expect(self._config.timeout_keep_alive)
        if not self._requests.is_waiting:
            self.resume_reading(self._requests.newest)

    def failed(self, exchange: Exchange) -> None:
        """Say so, if nothing was said, and close."""
        self.received.release(exchange.size)
        exchange.leave()
        refusal = exchange.refusal if exchange.is_cut else InternalError()
        if refusal and not exchange.begun:
            self._refuse(refusal, exchange.scope["method"], exchange.scope["path"])
        self._finish()

    def ended(self, exchange: Exchange) -> None:
        """Uvicorn waits for it no longer; a callback of the task would take a turn of the loop."""
        self._state.tasks.discard(exchange.task)

    # What uvicorn calls

    def shutdown(self) -> None:
        """Close after the answers under way."""
        if self._requests.running and self._requests.newest:
            self._requests.newest.last = True
        else:
            self.transport.close()

    def _start(self, exchange: Exchange) -> None:
        exchange.task = self._loop.create_task(exchange.run(self._config.loaded_app))
        self._state.tasks.add(exchange.task)

    def _hold(self, more: int) -> None:
        """Count the latest read, once for all the requests in it, and so much more."""
        self.received.hold(self, self._read + more)
        self._read = 0

    def _stop(self, refusal: AppError | None = None) -> bool:
        """Parse nothing more; answer the requests that are complete, or refuse this one, and close.

        True if there are answers to wait for.
        """
        running = self._requests.running
        if not self._deaf:
            self._deaf = True
            if running:
                self._drop_request()
                self._expect(0)
                if running.whole:
                    self._requests.end()
                else:
                    running.cut(refusal)
            else:
                if refusal and not self._requests.discards:
                    self._refuse(refusal, self._reader.method, self._reader.path)
                self._finish()
        return running is not None and not running.over

    def _refuse_overload(self) -> None:
        self._stop(OverloadedError())

    def _refuse(self, refusal: AppError, method: str, path: str) -> None:
        answer = encoded(refusal, self.answer_headers, path, silent=method == "HEAD")
        self.transport.write(answer)

    def _finish(self) -> None:
        """Close, once the client has, or had the time to.

        What it sends to a closed connection makes its system throw away the answer.
        """
        self._deaf = True
        self._drop_request()
        if self.transport.is_closing():
            return
        if self._ended.is_set():
            self.transport.close()
        else:
            self.resume_reading(self._requests.newest)
            with suppress(OSError):  # asyncio's own loop raises it if the client was faster
                self.transport.write_eof()
            self._expect(LINGER_SECONDS)

    def _drop_request(self) -> None:
        self._reader.stop()
        self.received.drop(self)

    def _expect(self, seconds: float) -> None:
        """Give the client so many seconds; 0: nothing is expected of it."""
        self.admission.expects(self, more=seconds > 0)
        self._deadline.set(seconds)

    def _give_up(self) -> None:
        if not self._deaf:
            self._stop()
        elif self.outlet.is_blocked:
            self._expect(LINGER_SECONDS)  # it still reads the last answer, or the outlet sees to it
        else:
            self.transport.abort()
