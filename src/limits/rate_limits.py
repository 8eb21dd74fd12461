"""General limits of requests: by address before anything else, by account once it is known.

Each subject's time is cut into windows of a fixed length, and each window has one count, so that a
request costs one step in memory or one command of Redis. At most twice the limit gets through in
the time of one window, around the moment where two of them meet. docs/decisions/rate-limits.md has
the reasons.
"""

import logging
import math
from collections.abc import Awaitable
from typing import NamedTuple
from zlib import crc32

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from limits import parse
from src.clock import Clock
from src.config import Settings
from src.exceptions import AppError
from src.http.peer import PeerDep, counted_networks, network_of, peer_address
from src.http.problems import answer_to
from src.limits.request_counts import Counts, MemoryCounts, SharedCounts

logger = logging.getLogger(__name__)

UNLIMITED = "/health/"
_STATE = "rate_limits"


class RateLimitedError(AppError):
    """More requests than one address or account may send."""

    status = 429
    code = "rate_limited"
    title = "Too many requests: slow down"

    def __init__(self, retry_after: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class Left(NamedTuple):
    """What is left of a limit; less than nothing where it is exceeded."""

    remaining: int
    limit: int
    resets_in: int


class Limit:
    """So many requests of one subject in so many seconds."""

    def __init__(self, text: str, counts: Counts, clock: Clock) -> None:
        item = parse(text)
        self._amount, self._seconds = item.amount, item.get_expiry()
        self._counts = counts
        self._clock = clock

    async def count(self, subject: str, times: int = 1) -> Left:
        """Count a request of a subject, which says what is counted too: `address:192.0.2.7`.

        It may send so many `times` what the limit allows.
        """
        # Windows begin at another moment for each subject, so that not all come back at once.
        moment = self._clock.now().timestamp() + crc32(subject.encode()) % self._seconds
        window, elapsed = divmod(moment, self._seconds)
        count = await self._counts.count(subject, int(window), self._seconds)
        amount = self._amount * times
        return Left(amount - count, amount, math.ceil(self._seconds - elapsed))


class RateLimits:
    """The limits of the application, and where they are counted."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._shared = (
            SharedCounts(settings.redis_url.get_secret_value()) if settings.redis_url else None
        )
        counts = self._shared or MemoryCounts()
        self.requests = Limit(settings.rate_limit, counts, clock)
        self.mails = Limit(settings.rate_limit_mails, counts, clock)
        self.usernames = Limit(settings.rate_limit_usernames, counts, clock)
        if settings.environment == "production" and not settings.trusted_proxies:
            logger.warning("without TRUSTED_PROXIES, all callers behind a proxy share one limit")

    async def close(self) -> None:
        """Close what was opened."""
        if self._shared:
            await self._shared.close()


class Tally:
    """The counts that one request takes part in."""

    __slots__ = ("_limits", "_tightest")

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._tightest: Left | None = None

    async def count_address(self, network: str) -> None:
        """Count the request by where it comes from.

        Raises:
            RateLimitedError: one too many.
        """
        await self._count_networks(self._limits.requests, "address", network)

    async def count_mail(self, network: str) -> None:
        """Count a request that may send mail, by where it comes from.

        Raises:
            RateLimitedError: one too many.
        """
        await self._count_networks(self._limits.mails, "mails", network)

    async def count_account(self, user_id: object) -> None:
        """Count the request by who sends it.

        Raises:
            RateLimitedError: one too many.
        """
        self._take(await self._limits.requests.count(f"account:{user_id}"))

    async def count_lookup(self, network: str) -> None:
        """Count a question whether a username can be taken, by where it comes from.

        Raises:
            RateLimitedError: one too many.
        """
        await self._count_networks(self._limits.usernames, "usernames", network)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What is left of the tightest limit."""
        if self._tightest is None:
            return []
        remaining, limit, resets_in = self._tightest
        return [
            (b"ratelimit-limit", b"%d" % limit),
            (b"ratelimit-remaining", b"%d" % max(remaining, 0)),
            (b"ratelimit-reset", b"%d" % resets_in),
        ]

    async def _count_networks(self, limit: Limit, what: str, network: str) -> None:
        """Count by a network and those around it, the narrowest first.

        What one refuses is not counted for those around it, where others may be.
        """
        for one, times in counted_networks(network):
            self._take(await limit.count(f"{what}:{one}", times))

    def _take(self, left: Left) -> None:
        if self._tightest is None or left.remaining < self._tightest.remaining:
            self._tightest = left
        if left.remaining < 0:
            raise RateLimitedError(left.resets_in)


class RateLimitMiddleware:
    """Counts requests, refuses those of an address that sends too many, and tells what is left."""

    def __init__(self, app: ASGIApp, settings: Settings, limits: RateLimits) -> None:
        self.app = app
        self._trusted = settings.trusted_proxies
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["path"].startswith(UNLIMITED):
            await self.app(scope, receive, send)
            return
        tally = scope["state"][_STATE] = Tally(self._limits)

        def send_counted(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"].extend(tally.headers())
            return send(message)

        network = network_of(peer_address(scope, self._trusted))
        try:
            await tally.count_address(network)
        except RateLimitedError as error:
            await answer_to(error, scope)(scope, receive, send_counted)
            return
        await self.app(scope, receive, send_counted)


async def count_account(scope: Scope, user_id: object) -> None:
    """Count the request by its account, where limits are on.

    Raises:
        RateLimitedError: one too many.
    """
    tally: Tally | None = scope["state"].get(_STATE)
    if tally:
        await tally.count_account(user_id)


async def count_mail(request: Request, peer: PeerDep) -> None:
    """Count a request that may send mail, where limits are on.

    Raises:
        RateLimitedError: one too many.
    """
    tally: Tally | None = request.scope["state"].get(_STATE)
    if tally:
        await tally.count_mail(peer.network)


# Among the dependencies of every route that may send mail.
MAY_SEND_MAIL = Depends(count_mail)


async def count_lookup(scope: Scope, network: str) -> None:
    """Count a question about a username, where limits are on.

    Raises:
        RateLimitedError: one too many.
    """
    tally: Tally | None = scope["state"].get(_STATE)
    if tally:
        await tally.count_lookup(network)
