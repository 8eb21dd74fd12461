"""Who is at the other end: addresses that proxies vouch for, and names of devices."""

from ipaddress import ip_network

import httpx
import pytest
import ua_parser
from fastapi import FastAPI
from starlette.types import Scope

from src.config import Settings
from src.http.peer import (
    MAX_NAME,
    UNKNOWN_DEVICE,
    Network,
    Peer,
    PeerDep,
    counted_networks,
    peer_address,
)
from tests.support import small_app

PROXY = "10.0.0.1"
TRUSTED: list[Network] = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def scope(client: str | None, *forwarded: str) -> Scope:
    """A request's scope with these X-Forwarded-For headers."""
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"client": (client, 50000) if client else None, "headers": headers}


@pytest.mark.parametrize(
    "made_up", ["198.51.100.9", "10.0.0.1", "127.0.0.1", "garbage", "", "198.51.100.9, 10.0.0.1"]
)
def test_without_trusted_proxies_a_header_changes_nothing(made_up: str) -> None:
    for client in ("203.0.113.7", "127.0.0.1", "::1", PROXY):
        assert peer_address(scope(client, made_up), []) == client


def test_a_header_of_somebody_who_is_no_proxy_changes_nothing() -> None:
    assert peer_address(scope("203.0.113.7", "198.51.100.9"), TRUSTED) == "203.0.113.7"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.1.1.1"], "203.0.113.7"),
        (["198.51.100.9, 203.0.113.7"], "203.0.113.7"),
        (["10.9.9.9, 203.0.113.7, 10.1.1.1"], "203.0.113.7"),
        (["198.51.100.9", "203.0.113.7"], "203.0.113.7"),
        (["198.51.100.9", "203.0.113.7", "10.1.1.1"], "203.0.113.7"),
        (["  203.0.113.7  ,  10.1.1.1  "], "203.0.113.7"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["[2001:DB8:0::7]:4711"], "2001:db8::7"),
        (["2001:db8::7, fd00::1"], "2001:db8::7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, ::ffff:10.1.1.1"], "203.0.113.7"),
        (["10.2.2.2"], "10.2.2.2"),
    ],
)
def test_the_nearest_address_that_is_no_proxy_counts(forwarded: list[str], expected: str) -> None:
    assert peer_address(scope(PROXY, *forwarded), TRUSTED) == expected


@pytest.mark.parametrize("client", ["::ffff:10.0.0.1", "fd00::1", "fd00::1%eth0"])
def test_a_proxy_may_be_written_in_any_way(client: str) -> None:
    assert peer_address(scope(client, "203.0.113.7"), TRUSTED) == "203.0.113.7"


@pytest.mark.parametrize(
    "garbage",
    [
        "unknown",
        "_hidden",
        "",
        ",",
        "for=1.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "999.1.1.1",
        "0x7f.1",
        "::ffff:1.2.3.4:80",
        "[]",
        ":",
        "\xff\xfe",
        "1.2.3.4 5.6.7.8",
        "a" * 5000,
    ],
)
def test_garbage_ends_the_search_at_the_last_proxy(garbage: str) -> None:
    assert peer_address(scope(PROXY, f"203.0.113.7, {garbage}"), TRUSTED) == PROXY
    assert peer_address(scope(PROXY, f"{garbage}, 203.0.113.7"), TRUSTED) == "203.0.113.7"


def test_a_thousand_hops_are_not_walked() -> None:
    forwarded = ", ".join(["203.0.113.7", *(f"10.1.{n // 250}.{n % 250}" for n in range(1000))])
    found = peer_address(scope(PROXY, forwarded), TRUSTED)
    assert found is not None
    assert found.startswith("10.1.")
    assert peer_address(scope(PROXY, forwarded, "198.51.100.9"), TRUSTED) == "198.51.100.9"


def test_without_a_network_there_is_no_address() -> None:
    assert peer_address(scope(None, "203.0.113.7"), TRUSTED) is None
    assert Peer(None, "").network == "unknown"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("2002:cb00:7107:1:2:3:4:5", "203.0.113.7"),
        ("64:ff9b::1:0:0", "64:ff9b::/64"),
    ],
)
def test_one_customer_is_one_network_in_every_way_to_write_it(address: str, network: str) -> None:
    assert Peer(address, "").network == network


def test_what_stands_for_an_address_of_a_proxy_is_no_proxy() -> None:
    for client in ("2002:a00:1::1", "64:ff9b::a00:1"):
        assert peer_address(scope(client, "203.0.113.7"), TRUSTED) == client


def test_the_networks_around_are_counted_too() -> None:
    assert counted_networks(Peer("2001:db8:12:3456::7", "").network) == [
        ("2001:db8:12:3456::/64", 1),
        ("2001:db8:12:3400::/56", 4),
        ("2001:db8:12::/48", 16),
    ]
    assert counted_networks("203.0.113.7") == [("203.0.113.7", 1)]
    assert counted_networks("unknown") == [("unknown", 1)]


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile Safari/6",
            "Mobile Safari on iOS",
        ),
        ("Plaza/3 CFNetwork/1494.0.7 Darwin/23.4.0", "Plaza on iOS"),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("", UNKNOWN_DEVICE),
        ("/", UNKNOWN_DEVICE),
    ],
)
def test_a_device_has_a_name_that_people_know(user_agent: str, device: str) -> None:
    assert Peer(None, user_agent).device == device


@pytest.mark.parametrize(
    "user_agent",
    [
        "Visit http://evil.test/now",
        "http://evil.test/1 CFNetwork/1 Darwin/1",
        "<script>alert(1)</script>/1 CFNetwork/1 Darwin/1",
        "Firefox\r\nBcc: eve@evil.test/1 CFNetwork/1 Darwin/1",
        "a\x00b\x1b[31m\x85\u202e/1 CFNetwork/1",
        "{{ 7 * 7 }}/1 CFNetwork/1",
        "x" * 300,
        "x" * 190 + "/1 CFNetwork/1",
        "\x00",
        "\xff" * 300,
        "(" * 300,
        "Mozilla/5.0 (" + "; " * 140,
        "PTST/" + "9" * 290,
    ],
)
def test_a_hostile_user_agent_gives_a_harmless_name(user_agent: str) -> None:
    device = Peer(None, user_agent).device
    assert device
    assert len(device) <= 2 * MAX_NAME + len(" on ")
    assert device.isascii()
    assert device.isprintable()
    assert not set(device) & set("<>{}'\"&;:/@.\\")


@pytest.fixture
def echo(plain_settings: Settings) -> FastAPI:
    """An application that says whom it sees."""
    app = small_app(plain_settings)
    app.state.settings = plain_settings

    @app.get("/")
    async def whom(peer: PeerDep) -> list[str | None]:
        return [peer.address, peer.user_agent]

    return app


async def ask(app: FastAPI, client: tuple[str, int], headers: list[tuple[str, str]]) -> list[str]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=client), base_url="http://plaza.test"
    ) as http:
        seen: list[str] = (await http.get("/", headers=headers)).json()
        return seen


async def test_the_settings_say_which_proxies_are_believed(
    echo: FastAPI, plain_settings: Settings
) -> None:
    headers = [("X-Forwarded-For", "203.0.113.7"), ("User-Agent", "x" * 5000)]
    assert await ask(echo, (PROXY, 1), headers) == [PROXY, "x" * 300]
    echo.state.settings = plain_settings.model_copy(update={"trusted_proxies": TRUSTED})
    assert (await ask(echo, (PROXY, 1), headers))[0] == "203.0.113.7"
    assert (await ask(echo, ("192.0.2.1", 1), headers))[0] == "192.0.2.1"
    others = [("Forwarded", "for=203.0.113.7"), ("X-Real-IP", "203.0.113.7")]
    assert (await ask(echo, (PROXY, 1), others))[0] == PROXY


@pytest.fixture
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.delitem(vars(ua_parser), "parser", raising=False)


async def test_the_names_of_devices_are_loaded_at_the_start(
    nothing_loaded: None, app: FastAPI
) -> None:
    assert "parser" in vars(ua_parser)
