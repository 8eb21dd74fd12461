"""Origins of URLs, as browsers write them (HTML, section 7.1.1; URL Standard, section 3.5)."""

import re
import socket
from functools import lru_cache
from ipaddress import IPv6Address

import idna

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Schemes whose pages have the origin `null`, or that pages do not have.
_WITHOUT_ORIGIN = {"about", "blob", "data", "file", "ftp", "javascript", "mailto", "ws", "wss"}
_MAX_PORT = 65535
# Strict, where browsers and urlsplit are lenient: no user, query, fragment, backslash or space.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\\*%\[\]]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9._~-]+)*)/?"
)
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@lru_cache
def split_origin(url: str) -> tuple[str, str]:
    """The origin of a URL, and its path without a slash at the end.

    Raises:
        ValueError: it has none, or more than that. The message repeats nothing of it.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("must look like https://example.com, perhaps with a port or a plain path")
    scheme, host, path = found["scheme"].lower(), found["host"], found["path"]
    port = int(found["port"]) if found["port"] else None
    if scheme in _WITHOUT_ORIGIN or not (port is None or 0 < port <= _MAX_PORT):
        raise ValueError("has a scheme or a port that no origin has")
    if any(set(segment) == {"."} for segment in path.split("/") if segment):
        raise ValueError("has a path with dots for directories")
    if scheme in _DEFAULT_PORTS:
        host = _ipv6(host) if host.startswith("[") else _domain(host)
    elif not host.isascii():
        raise ValueError("has letters in its host that no app has")
    default = port is None or port == _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" if default else f"{scheme}://{host}:{port}", path


def _ipv6(host: str) -> str:
    try:
        address = IPv6Address(host[1:-1])
    except ValueError:
        raise ValueError("has no IPv6 address between its brackets") from None
    if mapped := address.ipv4_mapped:  # which Python may write with dots
        return f"[::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}]"
    return f"[{address.compressed}]"


def _domain(host: str) -> str:
    """A name in ASCII (UTS 46, non-transitional), or an IPv4 address with four numbers.

    Browsers take more characters than IDNA2008 does, emoji for one, so labels are not checked.
    """
    try:
        labels = idna.uts46_remap(host, std3_rules=False, transitional=False).split(".")
        domain = ".".join(
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
            for label in labels
        )
        if _NUMBER.fullmatch(domain.rstrip(".").rpartition(".")[2]):
            return socket.inet_ntoa(socket.inet_aton(domain.rstrip(".")))
    except (idna.IDNAError, OSError):
        domain = ""
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("has no host name that a browser takes")
    return domain
