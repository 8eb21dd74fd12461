"""The URLs of settings: read strictly, and never repeated, since they may hold a password."""

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool

ADVICE = (
    "percent-encode what is special in the user and the password: "
    "@ is %40, / is %2F, : is %3A, ? is %3F, # is %23, % is %25"
)
STARTTLS = {"": None, "starttls=required": True, "starttls=never": False}
# What asyncpg understands (`asyncpg.connect`), and PostgreSQL's own options.
_DATABASE_OPTIONS = {
    *("host", "port", "dbname", "database", "user", "password", "passfile", "service"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
    *("krbsrvname", "gsslib", "options"),
}
_SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
REDIS_CONNECTIONS = 20
REDIS_SECONDS = 0.1  # that a request waits for Redis
_NOT_AN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REDIS_DATABASE = re.compile(r"(/[0-9]*)?")


def check_database_url(text: str) -> None:
    """Refuse what asyncpg would not read, or not as it is meant.

    Raises:
        ValueError: without any part of the text.
    """
    form = "must look like postgresql://user:password@host:5432/name"
    url = _read(text, form, "postgresql", "postgres", several_hosts=True)
    try:
        options = parse_qs(url.query, strict_parsing=True) if url.query else {}
        ports = [int(port) for port in ",".join(options.get("port", [])).split(",") if port]
    except ValueError:
        raise ValueError(f"{form}; {ADVICE}") from None
    if not options.keys() <= _DATABASE_OPTIONS:
        raise ValueError(f"takes no options but {', '.join(sorted(_DATABASE_OPTIONS))}")
    if not {*options.get("sslmode", [])} <= _SSL_MODES:
        raise ValueError(f"takes as sslmode {', '.join(sorted(_SSL_MODES))}")
    if not all(0 < port < 2**16 for port in ports):
        raise ValueError(f"{form}; {ADVICE}")


def check_smtp_url(text: str) -> None:
    """Refuse what does not name an SMTP server, with a user and a password or without both.

    Raises:
        ValueError: without any part of the text.
    """
    form = "must look like smtp://user:password@host:587 or smtps://user:password@host:465"
    url = _read(text, form, "smtp", "smtps")
    if not url.hostname or url.path not in {"", "/"} or bool(url.username) != bool(url.password):
        raise ValueError(f"{form}; {ADVICE}")
    if url.query not in STARTTLS:
        raise ValueError("takes no option but ?starttls=required or ?starttls=never")


def check_redis_url(text: str) -> None:
    """Refuse what does not name a Redis or Valkey server.

    Raises:
        ValueError: without any part of the text.
    """
    form = "must look like redis://user:password@host:6379/0; rediss, valkey and valkeys too"
    url = _read(text, form, "redis", "rediss", "valkey", "valkeys")
    if not url.hostname or not _REDIS_DATABASE.fullmatch(url.path):
        raise ValueError(f"{form}; {ADVICE}")
    try:
        redis_pool(text).make_connection()  # type: ignore[no-untyped-call] # connects to nothing yet
    except Exception:  # noqa: BLE001 - whatever its client does not take
        raise ValueError("has an option that the client of Redis does not take") from None


def redis_pool(url: str) -> "BlockingConnectionPool":
    """Connections to Redis or Valkey, which open when first needed.

    Raises:
        ValueError: the client does not understand the URL; the message may repeat a part of it.
    """
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - commands would wait for it

    scheme, _, rest = url.partition("://")
    return BlockingConnectionPool.from_url(
        f"{scheme.replace('valkey', 'redis')}://{rest}",  # the same protocol
        max_connections=REDIS_CONNECTIONS,
        timeout=REDIS_SECONDS,
    )


def check_web_url(text: str, *schemes: str) -> None:
    """Refuse what is not a page's address: a host, perhaps a path, and nothing secret.

    Raises:
        ValueError: without any part of the text.
    """
    form = f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)} and a host"
    url = _read(text, form, *schemes)
    if not url.hostname or url.query or "@" in url.netloc:
        raise ValueError(f"{form}, without a user, a password, a query or a fragment")


def _read(text: str, form: str, *schemes: str, several_hosts: bool = False) -> SplitResult:
    """The parts of a URL that every parser splits alike.

    A password that is not encoded moves the borders: what follows its `/`, `?`, `#` or `@` would be
    taken for a path, a query, a fragment or a host, and reported as such by whoever connects.
    """
    try:
        url = urlsplit(text)
        credentials, _, hosts = url.netloc.rpartition("@")
        ports = [_port(host) for host in (hosts.split(",") if several_hosts else [hosts])]
    except ValueError:  # its text has a part of the URL
        raise ValueError(f"{form}; {ADVICE}") from None
    if (
        url.scheme not in schemes
        or not text.partition(":")[2].startswith("//")
        or 0 in ports
        or "@" in credentials
        or text.count("@") > ("@" in url.netloc)
        or "#" in text
        or " " in text
        or _CONTROL.search(unquote(text))
        or _NOT_AN_ESCAPE.search(text)
    ):
        raise ValueError(f"{form}; {ADVICE}")
    return url


def _port(host: str) -> int | None:
    """The port of host:port, if there is one.

    Raises:
        ValueError: it is not in that form, or no name of DNS, as UnicodeError says.
    """
    split = urlsplit(f"//{host}")
    if not unquote(host).startswith("/"):  # else the path of a socket
        (split.hostname or "").encode("idna")
    return split.port
