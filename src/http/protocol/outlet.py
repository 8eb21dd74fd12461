"""The way out of a connection: what its client does not take, bounded in time and in bytes."""

import asyncio
from typing import ClassVar

from src.http.protocol.byte_budget import ByteBudget

UNSENT_BYTES = 64 * 1024 * 1024  # of all clients together; whoever has most of it is cut off
WRITE_SECONDS = 30.0  # for the client to take what is unsent, or WRITE_BYTES of it
WRITE_BYTES = 64 * 1024


class Outlet:
    """What was written to one connection and could not be sent at once."""

    unsent: ClassVar["ByteBudget[Outlet]"] = ByteBudget(UNSENT_BYTES)

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        transport.set_write_buffer_limits(high=0)  # so that `block` is called for any of it
        self._transport = transport
        self._loop = loop
        self.is_blocked = False  # something is unsent
        self._free = asyncio.Event()
        self._free.set()
        self._deadline: asyncio.TimerHandle | None = None

    async def freed(self) -> None:
        """Wait until everything is sent, or will never be."""
        await self._free.wait()

    def block(self) -> None:
        """Something is unsent."""
        self.is_blocked = True
        self._free.clear()
        self.unsent.hold(self, self._size())
        self._watch()
        if self.unsent.used > self.unsent.limit:
            self._cut_off_largest()

    def free(self) -> None:
        """Everything is sent, or will never be."""
        self.is_blocked = False
        self._free.set()
        self.unsent.drop(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _size(self) -> int:
        return self._transport.get_write_buffer_size()

    def _watch(self) -> None:
        self._deadline = self._loop.call_later(WRITE_SECONDS, self._check, self._size())

    def _check(self, before: int) -> None:
        if before - self._size() < WRITE_BYTES:
            self._transport.abort()
        else:
            self._watch()

    @classmethod
    def _cut_off_largest(cls) -> None:
        """Those that take it slowly have less by now than when it was counted."""
        while cls.unsent.used > cls.unsent.limit and (largest := cls.unsent.largest()):
            held, left = cls.unsent.held(largest), largest._size()  # noqa: SLF001 - its own class
            cls.unsent.drop(largest)
            if left < held:
                cls.unsent.hold(largest, left)
            else:
                largest._transport.abort()  # noqa: SLF001
                largest.free()
