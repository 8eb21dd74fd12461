"""Where webhooks may send to: public addresses, and those that WEBHOOK_ALLOWED_NETWORKS names."""

import re
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

import httpx

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_URL_LENGTH = 2000
FIRST_FREE_PORT = 1024
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# What ends in a number is an IPv4 address for some parsers, whatever its form.
_NAME = re.compile(rf"(?:{_LABEL}\.)*(?!(?:[0-9]+|0x[0-9a-f]*)$){_LABEL}")
# By the registries of special-purpose addresses at IANA; the rest of IPv6 is not assigned.
_NOT_PUBLIC: list[Network] = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
]
_ASSIGNED = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


class BadTargetError(Exception):
    """Nothing is sent to such a URL."""

    kind = "url_refused"


class InsecureTargetError(BadTargetError):
    """Nothing is sent there without encryption."""

    kind = "insecure_url"


class AddressRefusedError(BadTargetError):
    """Nothing is sent to such an address."""

    kind = "address_refused"


def parsed(url: str) -> httpx.URL:
    """The URL, if every parser reads it alike.

    Raises:
        BadTargetError: it is not http or https, has a user, a fragment or the port of another
            service, or is not in its canonical form.
    """
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        raise BadTargetError from None
    port = FIRST_FREE_PORT if found.port is None else found.port
    if (
        len(url) > MAX_URL_LENGTH
        or str(found) != url
        or not url.isascii()
        or found.scheme not in {"http", "https"}
        or found.userinfo
        or "#" in url
        or not (_NAME.fullmatch(host_of(found)) or literal_address(found))
        or not (port in {80, 443} or FIRST_FREE_PORT <= port <= 65535)  # noqa: PLR2004
    ):
        raise BadTargetError
    return found


def host_of(url: httpx.URL) -> str:
    """The host as it is sent; httpx would show an internationalized name in its own script."""
    return url.raw_host.decode("ascii")


def literal_address(url: httpx.URL) -> Address | None:
    """The address that the host is, if it is one in its canonical form."""
    try:
        address = ip_address(host_of(url))
    except ValueError:
        return None
    return address if str(address) == host_of(url) and "%" not in host_of(url) else None


def require_reachable(address: Address, allowed: Sequence[Network], *, encrypted: bool) -> None:
    """Let nothing be sent where only this machine or its network can be.

    What is not `encrypted` goes to allowed networks alone.

    Raises:
        AddressRefusedError: the address is neither public nor allowed.
        InsecureTargetError: it is public, and what is sent is not encrypted.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = IPv4Address(address.packed[-4:])
    if any(address in network for network in allowed):
        return
    if any(address in network for network in _NOT_PUBLIC) or (
        isinstance(address, IPv6Address) and address not in _ASSIGNED
    ):
        raise AddressRefusedError
    if not encrypted:
        raise InsecureTargetError
