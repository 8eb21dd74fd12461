"""Asks an online service whether a password is known from a breach, without telling it which.

The service is told the first five of the forty hexadecimal characters of the password's SHA-1, and
answers with the rest of all known ones that begin so (k-anonymity, as Pwned Passwords does).
"""

import asyncio
import hashlib
import logging
import re

import httpx

logger = logging.getLogger(__name__)

PREFIX_LENGTH = 5
ANSWER_SECONDS = 2.0
MAX_ANSWER_BYTES = 2 * 1024 * 1024
MAX_CONNECTIONS_THERE = 10
# With padding all answers are of about one size, which would tell the prefix otherwise.
_HEADERS = {"Add-Padding": "true", "Accept-Encoding": "identity", "User-Agent": "Plaza"}
_LIST = re.compile(rb"([0-9A-F]{35}:[0-9]|$)", re.IGNORECASE)


class UnusableAnswerError(Exception):
    """The service says something else than a list."""


class BreachedPasswords:
    """The service at a URL; without one, no password is known."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        limits = httpx.Limits(max_connections=MAX_CONNECTIONS_THERE)
        self._client = httpx.AsyncClient(headers=_HEADERS, limits=limits) if url else None
        if url:  # httpx would log each address, and so the prefix
            logging.getLogger("httpx").setLevel(logging.WARNING)

    async def knows(self, password: str) -> bool:
        """Whether a normalised password is known; False too if the service does not answer."""
        if self._client is None:
            return False
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        prefix, suffix = digest[:PREFIX_LENGTH], digest[PREFIX_LENGTH:]
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                known = await self._list(self._client, prefix)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnusableAnswerError) as error:
            # Only the kind of error: a text of httpx may have the address, and so the prefix.
            text = str(error) if isinstance(error, UnusableAnswerError) else type(error).__name__
            logger.warning("BREACHED_PASSWORDS_URL is of no use now: %s", text)
            return False
        # What pads the list has a count of 0.
        return re.search(rb"(?mi)^%s:0*[1-9]" % suffix.encode(), known) is not None

    async def close(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.aclose()

    async def _list(self, client: httpx.AsyncClient, prefix: str) -> bytes:
        """The service's list for a prefix: a line for each SHA-1, its rest and a count.

        Raises:
            httpx.HTTPError: it is away.
            UnusableAnswerError: it says something else.
        """
        answer = bytearray()
        async with client.stream("GET", f"{self._url}/{prefix}") as response:
            if response.status_code != httpx.codes.OK:
                raise UnusableAnswerError(f"status {response.status_code}")
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise UnusableAnswerError("the answer is too long")
        if not _LIST.match(answer):
            raise UnusableAnswerError("the answer is no list of SHA-1")
        return bytes(answer)
