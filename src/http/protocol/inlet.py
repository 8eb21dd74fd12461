"""The way into a connection."""

import asyncio


class Inlet:
    """What a client sends is read, or left in its system's buffers and ours."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._is_closed = False

    def close(self) -> None:
        """Read nothing for now."""
        if not self._is_closed:
            self._is_closed = True
            self._transport.pause_reading()

    def open(self) -> None:
        """Read on."""
        if self._is_closed:
            self._is_closed = False
            self._transport.resume_reading()
