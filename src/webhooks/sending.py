"""One attempt to send a message, in bounded time and with a bounded answer."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

import httpx

from src.webhooks.targets import (
    Address,
    BadTargetError,
    Network,
    host_of,
    literal_address,
    parsed,
    require_reachable,
)

SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
KEPT_CHARACTERS = 1000
MAX_ADDRESSES = 4
_HEADERS = {
    "Accept-Encoding": "identity",
    "Connection": "close",
    "Content-Type": "application/json",
    "User-Agent": "Plaza-Webhooks",
}
# Names that are slow to resolve hold up no other work that is done in threads.
_resolvers = ThreadPoolExecutor(8, thread_name_prefix="webhook-names")
# httpx would log each address, which may hold a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: a status, or the kind of error; the beginning of an answer that is text."""

    status: int | None = None
    failure: str | None = None
    answer: str | None = None
    retry_after: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.failure is None


async def send(
    url: str,
    headers: Mapping[str, str],
    payload: bytes,
    *,
    allowed: Sequence[Network],
    require_encryption: bool,
) -> Outcome:
    """POST it to the URL. Redirects are not followed, and no proxy is asked.

    Whatever happens is an outcome.
    """
    try:
        async with asyncio.timeout(SECONDS):
            target = parsed(url)
            encrypted = target.scheme == "https" or not require_encryption
            addresses = await _addresses(target)
            for address in addresses:
                require_reachable(address, allowed, encrypted=encrypted)
            return await _post(target, addresses[:MAX_ADDRESSES], headers, payload)
    except TimeoutError:
        return Outcome(failure="timeout")
    except BadTargetError as error:
        return Outcome(failure=error.kind)
    except OSError:
        return Outcome(failure="name_not_resolved")
    except httpx.ConnectError as error:
        tls = isinstance(error.__cause__ and error.__cause__.__cause__, ssl.SSLError)
        return Outcome(failure="tls_failed" if tls else "not_connected")
    except (httpx.HTTPError, httpx.InvalidURL):
        return Outcome(failure="connection_failed")


async def _addresses(target: httpx.URL) -> list[Address]:
    """Every address of the host, in the system's order.

    Raises:
        OSError: it has none.
    """
    if literal := literal_address(target):
        return [literal]
    found = await asyncio.get_running_loop().run_in_executor(
        _resolvers, lambda: socket.getaddrinfo(host_of(target), None, type=socket.SOCK_STREAM)
    )
    return [ip_address(info[4][0]) for info in found]


async def _post(
    target: httpx.URL, addresses: Sequence[Address], headers: Mapping[str, str], payload: bytes
) -> Outcome:
    """The outcome at the first address that takes a connection.

    The connection is to the address that was checked; the name goes into `Host` and TLS alone.

    Raises:
        httpx.HTTPError: no answer.
    """
    async with httpx.AsyncClient(
        verify=_tls(), trust_env=False, timeout=SECONDS, headers=_HEADERS
    ) as client:
        for index, address in enumerate(addresses):
            request = client.build_request(
                "POST",
                target.copy_with(host=str(address)),
                headers={**headers, "Host": target.netloc.decode()},
                content=payload,
                extensions={"sni_hostname": host_of(target)},
            )
            try:
                response = await client.send(request, stream=True)
            except httpx.ConnectError:
                if index == len(addresses) - 1:
                    raise
                continue
            try:
                return await _outcome(response)
            finally:
                await response.aclose()
    raise httpx.ConnectError("no address")


async def _outcome(response: httpx.Response) -> Outcome:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= MAX_ANSWER_BYTES:
            break
    status = response.status_code
    kind = response.headers.get("content-type", "")
    answer = None
    if kind.startswith(("text/", "application/json", "application/problem+json")):
        answer = body[:MAX_ANSWER_BYTES].decode(errors="replace")[:KEPT_CHARACTERS]
        answer = answer.replace("\0", "\N{REPLACEMENT CHARACTER}")
    failure = None
    if not response.is_success:
        failure = "redirected" if response.has_redirect_location else "refused"
    after = response.headers.get("retry-after", "")
    seconds = int(after[:9]) if after.isascii() and after.isdigit() else 0
    return Outcome(status, failure, answer, seconds)


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
