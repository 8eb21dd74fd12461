"""How many connections there may be, and which one gives way to a new one."""

import asyncio
from typing import Generic, Protocol, TypeVar

from src.http.protocol.outlet import Outlet

MAX_CONNECTIONS = 10_000


class Connection(Protocol):
    """What an admission asks of a connection."""

    outlet: Outlet
    transport: asyncio.Transport


Admitted = TypeVar("Admitted", bound=Connection)


class Admission(Generic[Admitted]):
    """Up to `limit` connections, of which those are known that wait for their clients."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # The longest waiting first: between requests, and for the rest of one.
        self._idle: dict[Admitted, None] = {}
        self._unfinished: dict[Admitted, None] = {}

    def rests(self, connection: Admitted) -> None:
        """It is between requests."""
        self._idle[connection] = None

    def begins(self, connection: Admitted) -> None:
        """A request of its begins."""
        self._idle.pop(connection, None)

    def expects(self, connection: Admitted, *, more: bool) -> None:
        """Whether more of a request is expected of it."""
        if more and connection not in self._idle:
            self._unfinished[connection] = None
        else:
            self._unfinished.pop(connection, None)

    def forget(self, connection: Admitted) -> None:
        """It is closed."""
        self._idle.pop(connection, None)
        self._unfinished.pop(connection, None)

    def make_room(self) -> bool:
        """Give up a connection; False if all are at work.

        None is given up that still reads an answer.
        """
        for waiting in (self._idle, self._unfinished):
            oldest = next((one for one in waiting if not one.outlet.is_blocked), None)
            if oldest is not None:
                del waiting[oldest]
                oldest.transport.abort()
                return True
        return False
