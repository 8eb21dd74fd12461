"""Local runs: one name for the machine, and listening wherever it leads."""

import socket
from contextlib import closing

import pytest

from src.addresses import localhost
from src.config import Settings

V4, V6 = "127.0.0.1", "::1"


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Makes `localhost` lead where a test says, on a machine that has all of it."""
    monkeypatch.setattr(localhost, "_can_listen", lambda _: True)
    return monkeypatch


def resolve_localhost(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: object, **options: object) -> object:
        if host != "localhost":
            return real(host, *arguments, **options)  # type: ignore[arg-type]
        if not addresses:
            raise socket.gaierror
        return [(0, 0, 0, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("host", "addresses", "url"),
    [
        (V4, [V4], "http://localhost:8000"),
        (V4, [V6, V4], "http://localhost:8000"),
        (V6, [V6, V4], "http://localhost:8000"),
        ("localhost", [V4], "http://localhost:8000"),
        ("0.0.0.0", [V6, V4], "http://localhost:8000"),
        ("::", [V6, V4], "http://localhost:8000"),
        (V4, [], "http://127.0.0.1:8000"),
        (V4, [V6], "http://127.0.0.1:8000"),
        (V4, ["192.0.2.1"], "http://127.0.0.1:8000"),
        (V4, [V4, "192.0.2.1"], "http://127.0.0.1:8000"),
        ("127.0.0.2", [V4], "http://127.0.0.2:8000"),
        (V6, [V4], "http://[::1]:8000"),
        ("2001:db8::1", [V6, V4], "http://[2001:db8::1]:8000"),
        ("192.0.2.1", [V4], "http://192.0.2.1:8000"),
        ("plaza.internal", [V4], "http://plaza.internal:8000"),
    ],
)
def test_the_default_address_is_the_one_that_tools_and_people_use(
    leads_to: pytest.MonkeyPatch, settings: Settings, host: str, addresses: list[str], url: str
) -> None:
    resolve_localhost(leads_to, *addresses)
    unset = {"host": host, "data_dir": settings.data_dir, "public_url": ""}
    assert Settings(_env_file=None, environment="test", **unset).public_url == url  # type: ignore[arg-type]


@pytest.mark.parametrize("first", [V4, V6])
@pytest.mark.parametrize("host", [V4, V6, "localhost"])
def test_whoever_asks_localhost_is_heard_at_any_of_its_addresses(
    monkeypatch: pytest.MonkeyPatch, host: str, first: str
) -> None:
    if not localhost._can_listen(V6):
        pytest.skip("this machine has no ::1")
    resolve_localhost(monkeypatch, first, V4 if first == V6 else V6)
    port = free_port()
    listeners = localhost.bind(host, port)
    assert {listener.getsockname()[:2] for listener in listeners} == {(V4, port), (V6, port)}
    for listener in listeners:
        with closing(listener):
            listener.listen()
            socket.create_connection(listener.getsockname()[:2]).close()


def test_an_address_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_localhost(monkeypatch, "127.255.255.254", V4)
    monkeypatch.setattr(localhost, "_can_listen", lambda address: address == V4)
    [listener] = localhost.bind(V4, 0)
    with closing(listener):
        assert listener.getsockname()[0] == V4


def test_a_port_that_another_program_has_on_one_of_them_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_localhost(monkeypatch, V4, "127.0.0.2")
    with socket.create_server(("127.0.0.2", 0)) as other, pytest.raises(OSError, match="in use"):
        localhost.bind(V4, other.getsockname()[1])


def free_port() -> int:
    with socket.create_server((V6, 0), family=socket.AF_INET6) as probe:
        port: int = probe.getsockname()[1]
        return port
