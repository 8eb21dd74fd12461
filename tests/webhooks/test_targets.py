"""Hostile URLs and addresses: nothing is sent where only this machine or its network can be."""

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import httpx
import pytest

from src.webhooks.sending import send
from src.webhooks.targets import (
    AddressRefusedError,
    BadTargetError,
    InsecureTargetError,
    parsed,
    require_reachable,
)
from tests.support import Account
from tests.webhooks.support import WEBHOOKS, Receiver

LOOPBACK = [ip_network("127.0.0.1/32")]


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://localhost./",
        "http://exa。mple.com/",
        "http://①②⑦.0.0.1/",
        "http://bücher.example/",
        "http://EXAMPLE.com/",
        "http://a@b.example/",
        "http://@b.example/",
        "http://a:b@c.example/",
        "http://b.example\\@c.example/",
        "http://b.example/#part",
        "http://b.example/#",
        "http://b.example/\r\nX: y",
        "http://b.example/a b",
        "http://b.example/\0",
        "http://b..example/",
        "http://-b.example/",
        "http://b%2eexample/",
        "http://[::1%25eth0]/",
        "http://[0:0::1]/",
        "http://b.example:22/",
        "http://b.example:0/",
        "http://b.example:65536/",
        "http://",
        "http:///path",
        "//b.example/",
        "b.example",
        "ftp://b.example/",
        "file:///etc/passwd",
        "gopher://b.example/",
        "javascript:alert(1)",
        "https://b.example/" + "x" * 2000,
        "",
    ],
)
def test_a_url_that_parsers_may_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(BadTargetError):
        parsed(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://b.example",
        "https://xn--bcher-kva.example/a?b=c&d=%20",
        "http://b.example:8080/",
        "https://192.0.2.1/",
        "https://[2001:db8::1]:8443/",
        "https://3com.example/",
    ],
)
def test_a_plain_url_is_taken(url: str) -> None:
    assert str(parsed(url)) == url


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001::1",
        "2001:db8::1",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        require_reachable(ip_address(address), [], encrypted=True)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "172.32.0.1", "64:ff9b::101:101", "::ffff:1.1.1.1", "2606:4700::1111"]
)
def test_public_addresses_need_encryption_alone(address: str) -> None:
    require_reachable(ip_address(address), [], encrypted=True)
    with pytest.raises(InsecureTargetError):
        require_reachable(ip_address(address), [], encrypted=False)


def test_an_allowed_network_needs_nothing_and_allows_no_other() -> None:
    require_reachable(ip_address("127.0.0.1"), LOOPBACK, encrypted=False)
    require_reachable(ip_address("::ffff:127.0.0.1"), LOOPBACK, encrypted=False)
    with pytest.raises(AddressRefusedError):
        require_reachable(ip_address("127.0.0.2"), LOOPBACK, encrypted=True)


async def post(url: str, allowed: Any = (), *, require_encryption: bool = False) -> str | None:
    """The kind of error with which a message ends."""
    outcome = await send(url, {}, b"{}", allowed=allowed, require_encryption=require_encryption)
    return outcome.failure


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Have each look-up of a name answered by the next addresses; the names that were asked for."""
    left, asked = list(answers), []

    def getaddrinfo(host: str, port: object, **_: object) -> list[Any]:
        asked.append(host)
        found = left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in found]

    monkeypatch.setattr("src.webhooks.sending.socket.getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_is_looked_up_once_and_keeps_its_place_in_the_request(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolve_to(monkeypatch, ["127.0.0.1"])
    assert await post(f"http://hooks.example:{receiver.port}/a", LOOPBACK) is None
    assert asked == ["hooks.example"]
    [(headers, _)] = receiver.requests
    assert headers["host"] == f"hooks.example:{receiver.port}"


@pytest.mark.parametrize("answer", [["10.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["::1"]])
async def test_one_address_that_is_refused_is_enough(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    resolve_to(monkeypatch, answer)
    url = f"http://hooks.example:{receiver.port}/"
    assert await post(url, LOOPBACK) == "address_refused"
    assert receiver.requests == []


async def test_localhost_is_refused(receiver: Receiver) -> None:
    assert await post(f"http://localhost:{receiver.port}/") == "address_refused"
    assert receiver.requests == []


async def test_what_goes_to_others_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["1.1.1.1"])
    assert await post("http://hooks.example/", require_encryption=True) == "insecure_url"


async def test_no_proxy_of_the_environment_is_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    assert await post(receiver.url, LOOPBACK) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data", "webhook_address_refused"),
        ("http://[::1]/", "webhook_address_refused"),
        ("http://127.0.0.2/", "webhook_address_refused"),
        ("http://2130706433/", "webhook_url_invalid"),
        ("https://a:b@c.example/", "webhook_url_invalid"),
        ("https://b.example/\r\nX: y", "webhook_url_invalid"),
        ("https://b.example/" + "x" * 2000, "text_too_long"),
    ],
)
async def test_a_webhook_of_such_a_url_is_not_made(
    client: httpx.AsyncClient, admin: Account, url: str, reason: str
) -> None:
    data = {"url": url, "kinds": ["*"]}
    answer = await client.post(WEBHOOKS, json=data, headers=admin.headers)
    assert answer.status_code == 422
    assert [error["type"] for error in answer.json()["errors"]] == [reason]
    assert (await client.get(WEBHOOKS, headers=admin.headers)).json()["items"] == []
