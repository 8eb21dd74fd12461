"""The requests of one connection, which may come before the answers to earlier ones."""

from collections import deque
from collections.abc import Iterator

from src.http.protocol.exchange import Exchange

MAX_PIPELINED = 16  # complete requests that wait for the answers to earlier ones


class EnoughError(Exception):
    """Stops the parser in the middle of what was read."""


class Pipeline:
    """Requests in the order they came, which is that of their answers (RFC 9112, section 9.3.2).

    `newest` is the latest request, `running` the one being answered; the others wait between.
    """

    def __init__(self) -> None:
        self.newest: Exchange | None = None
        self.running: Exchange | None = None
        self._waiting: deque[Exchange] = deque()

    @property
    def is_waiting(self) -> bool:
        """Whether a request has come whose turn has not."""
        return bool(self._waiting)

    @property
    def discards(self) -> bool:
        """Whether the rest of a body is read whose request is answered."""
        newest = self.newest
        return newest is not None and newest.answered and not newest.whole

    def require_room(self) -> None:
        """Refuse a further request where it is too much.

        Raises:
            EnoughError: too many wait, or the latest is the last.
        """
        if self.newest and (self.newest.last or len(self._waiting) >= MAX_PIPELINED):
            raise EnoughError

    def add(self, exchange: Exchange) -> bool:
        """Take a new request; whether its turn has come."""
        self.newest = exchange
        if self.running is None:
            self.running = exchange
            return True
        self._waiting.append(exchange)
        return False

    def next(self) -> Exchange | None:
        """The request whose turn it is, now that the one before is answered."""
        self.running = self._waiting.popleft() if self._waiting else None
        return self.running

    def end(self) -> None:
        """Let the last complete request be the last of the connection."""
        if self._waiting and self.newest and not self.newest.whole:
            self._waiting.pop()
        if last := (self._waiting[-1] if self._waiting else self.running):
            last.last = True

    def clear(self) -> Iterator[Exchange]:
        """Take out all that are not over."""
        exchanges = [self.running, *self._waiting]
        self._waiting.clear()
        return (exchange for exchange in exchanges if exchange and not exchange.over)
