"""This machine under the name that tools, cookies and people use for it.

`localhost` and `127.0.0.1` are two sites to a browser: what the one sets, the other does not get.
"""

import socket
from contextlib import ExitStack
from ipaddress import ip_address


def localhost_addresses() -> list[str]:
    """The addresses of `localhost` that a server can listen on; none if it leads elsewhere."""
    try:
        found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not all(ip_address(address).is_loopback for address in addresses):
        return []
    return [address for address in addresses if _can_listen(address)]


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets that can listen for HOST, one an address.

    Whoever asks `localhost` may try any of its addresses first, so one of them stands for all.

    Raises:
        OSError: one of them is taken, or is no address of this machine.
    """
    addresses = localhost_addresses()
    hosts = addresses if host in {"localhost", *addresses} else [host]
    found = [
        info
        for one in hosts or [host]
        for info in socket.getaddrinfo(one, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    ]
    with ExitStack() as opened:
        sockets = []
        for family, kind, protocol, _, address in dict.fromkeys(found):
            sockets.append(opened.enter_context(socket.socket(family, kind, protocol)))
            sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sockets[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sockets[-1].bind(address)
        opened.pop_all()
    return sockets


def local_url(host: str, port: int) -> str:
    """The address for callers on this machine of a server that listens there."""
    addresses = localhost_addresses()
    everywhere = any(host == _everywhere(address) for address in addresses)
    if everywhere or host in addresses:
        host = "localhost"
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}" if port else f"http://{name}"  # 0: known once it listens


def _everywhere(address: str) -> str:
    """What stands for every address of its kind."""
    return "::" if ":" in address else "0.0.0.0"  # noqa: S104 - compared, not listened on


def _can_listen(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
