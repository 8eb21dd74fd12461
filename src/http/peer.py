"""Who is at the other end of a request: a network address, and a device by its own account."""

import asyncio
import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from starlette.types import Scope
from ua_parser import parse_os, parse_user_agent

from src.dependencies import SettingsDep
from src.http.protocol.exchange import CLIENT_GONE

MAX_USER_AGENT = 300
MAX_HOPS = 20
MAX_ADDRESS = 45  # the longest form of IPv6
MAX_REMEMBERED = 4096  # addresses: to read one takes longer than to count a request
MAX_NAME = 40
# A customer of IPv6 may have far more than a /64, for nothing: the networks around it are counted
# too. Neighbours may share them, so each may do so many times what a /64 may.
WIDER_NETWORKS = {56: 4, 48: 16}
UNKNOWN_DEVICE = "unknown device"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9 _+()-]")

Network: TypeAlias = IPv4Network | IPv6Network

# IPv6 that stands for an address of IPv4, and how many bits follow that: mapped, as NAT64 writes it
# (RFC 6052), 6to4 (RFC 3056).
_OF_IPV4 = [
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
]


@dataclass(frozen=True, slots=True)
class Peer:
    """The address that a request came from, as far as it can be believed, and its User-Agent.

    `gone` is set once the client has closed its side of the connection, if the server tells.
    """

    address: str | None
    user_agent: str
    gone: asyncio.Event = field(default_factory=asyncio.Event, compare=False, repr=False)

    @property
    def network(self) -> str:
        """What to count by."""
        return network_of(self.address)

    @property
    def widest_network(self) -> str:
        """What to share by: the widest network that may be one customer's, who has all in it."""
        return counted_networks(self.network)[-1][0]

    @property
    def device(self) -> str:
        """A name that a person recognises, such as `Firefox on Linux`."""
        found = parse_user_agent(self.user_agent), parse_os(self.user_agent)
        names = [one.family for one in found if one] or [self.user_agent.partition("/")[0]]
        return " on ".join(filter(None, map(_plain, names))) or UNKNOWN_DEVICE


def peer_address(scope: Scope, trusted: list[Network]) -> str | None:
    """The nearest address that is no proxy of ours.

    `X-Forwarded-For` is read from its end, and only as far as each hop is trusted: whatever a
    client writes into it stands further left. Without a network peer (a Unix socket) it is None.
    """
    client = scope.get("client")
    address = _address(client[0]) if client else None
    if address is None or not _is_trusted(address, trusted):
        return str(address) if address else None
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    for hop in reversed(forwarded.decode("latin-1").split(",")[-MAX_HOPS:]):
        claimed = _address(hop.strip())
        if claimed is None:
            break
        address = claimed
        if not _is_trusted(address, trusted):
            break
    return str(address)


def load_device_names() -> None:
    """Load the tables that devices are named by, which no request should wait for."""
    parse_user_agent("")


def _plain(name: str) -> str:
    """The name without what could be a link or another line in a mail: callers choose it."""
    return _NOT_IN_A_NAME.sub("", name).strip()[:MAX_NAME]


@lru_cache(MAX_REMEMBERED)
def network_of(address: str | None) -> str:
    """What to count by: an IPv4 address, however it is written, or the /64 of an IPv6 address."""
    if address is None:
        return "unknown"
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    for network, bits in _OF_IPV4:
        if parsed in network:
            return str(IPv4Address(int(parsed) >> bits & 0xFFFFFFFF))
    return str(IPv6Network((parsed, 64), strict=False))


@lru_cache(MAX_REMEMBERED)
def counted_networks(network: str) -> list[tuple[str, int]]:
    """A network of `network_of` and those around it: how many times a limit holds for each."""
    if "/" not in network:
        return [(network, 1)]
    inner = IPv6Network(network)
    wider = [(inner.supernet(new_prefix=size), times) for size, times in WIDER_NETWORKS.items()]
    return [(str(one), times) for one, times in [(inner, 1), *wider]]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, of which some proxies also give the port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    plain = text.partition("%")[0]
    return _parsed(plain) if len(plain) <= MAX_ADDRESS else None


@lru_cache(MAX_REMEMBERED)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: IPv4Address | IPv6Address, trusted: list[Network]) -> bool:
    return any(address in network for network in trusted)


async def get_peer(request: Request, settings: SettingsDep) -> Peer:
    """The request's peer."""
    user_agent = request.headers.get("user-agent", "")[:MAX_USER_AGENT]
    gone = request.scope.get("extensions", {}).get(CLIENT_GONE) or asyncio.Event()
    return Peer(peer_address(request.scope, settings.trusted_proxies), user_agent, gone)


PeerDep = Annotated[Peer, Depends(get_peer)]
