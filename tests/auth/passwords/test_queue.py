"""Passwords that wait to be hashed: no network keeps out others, nobody waits who is gone."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
from fastapi import FastAPI

from src.auth.passwords.hashing import PasswordHasher
from src.config import Settings
from src.threads import BoundedThreads
from tests.account.support import change_email
from tests.administration.support import USERS
from tests.auth.support import REGISTER, TOKEN, code, confirm, register, sign_in
from tests.http.protocol.raw_http import converse, port_of, serving, statuses
from tests.support import PASSWORD, PATIENCE_SECONDS, Accounts, Inbox, until


@asynccontextmanager
async def taken_thread(app: FastAPI) -> AsyncIterator[threading.Event]:
    """Room for four in the hasher, one of whom has the one thread until the event is set."""
    hasher: PasswordHasher = app.state.auth.hasher
    hasher.close()
    hasher._threads = BoundedThreads("password", 1, 4 * PATIENCE_SECONDS, PATIENCE_SECONDS)
    taken, may_go_on = threading.Event(), threading.Event()

    def wait() -> None:
        taken.set()
        may_go_on.wait()

    waiting = asyncio.create_task(hasher._threads.run(wait, "somebody"))
    try:
        await asyncio.to_thread(taken.wait, PATIENCE_SECONDS)
        yield may_go_on
    finally:
        may_go_on.set()
        await waiting


class TestFullQueue:
    """One thread, and three places to wait; a proxy tells addresses."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        proxies = [ip_network("127.0.0.1/32")]
        return settings.model_copy(update={"trusted_proxies": proxies})

    @pytest.mark.parametrize("kind", ["known", "unknown", "register"])
    async def test_past_its_bound_one_is_told_when_to_come_again(
        self, client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, kind: str
    ) -> None:
        await accounts.add("ann")
        if kind == "register":
            bodies = [{"email": f"new{n}@x.test", "password": PASSWORD} for n in range(8)]
            requests = [client.post(REGISTER, json=body) for body in bodies]
        else:
            login = "ann" if kind == "known" else "nobody"
            requests = [sign_in(client, login) for _ in range(8)]
        async with taken_thread(app) as may_go_on:
            answers = asyncio.as_completed(requests)
            for answer in [await next(answers) for _ in range(5)]:
                assert code(answer) == (503, "overloaded")
                assert int(answer.headers["retry-after"]) == 5 * PATIENCE_SECONDS
                assert answer.headers["cache-control"] == "no-store"
            may_go_on.set()
            served = {(await answer).status_code for answer in answers}
        assert served == {{"known": 200, "unknown": 400, "register": 202}[kind]}
        assert (await sign_in(client, "ann")).status_code == 200  # it recovers

    @pytest.mark.parametrize(
        "addresses",
        [
            pytest.param(["192.0.2.1"] * 6, id="one address"),
            pytest.param([f"2001:db8::{number}" for number in range(6)], id="one /64"),
            pytest.param([f"2001:db8:0:{number}::1" for number in range(6)], id="one /48"),
        ],
    )
    async def test_others_sign_in_while_one_network_floods(
        self, client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, addresses: list[str]
    ) -> None:
        await accounts.add("ann")

        def sign_in_from(address: str, login: str) -> Coroutine[Any, Any, httpx.Response]:
            form = {"username": login, "password": PASSWORD}
            return client.post(TOKEN, data=form, headers={"X-Forwarded-For": address})

        async with taken_thread(app) as may_go_on:
            flood = asyncio.as_completed([sign_in_from(one, "nobody") for one in addresses])
            refused = [await next(flood) for _ in range(3)]
            owner = asyncio.create_task(sign_in_from("2001:db8:1::1", "ann"))
            refused.append(await next(flood))  # one that waited
            assert {code(answer) for answer in refused} == {(503, "overloaded")}
            may_go_on.set()
            assert (await owner).status_code == 200
            assert [(await answer).status_code for answer in flood] == [400, 400]

    async def test_every_password_of_a_network_is_hashed_on_its_behalf(
        self, client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
    ) -> None:
        await accounts.add("admin", roles=("admin",))
        admin = await accounts.sign_in("admin")
        await register(client, "bob@x.test")
        token = await inbox.token("bob@x.test")
        client.headers["X-Forwarded-For"] = "192.0.2.7"
        owners, run = [], BoundedThreads.run

        async def note(self: BoundedThreads, *arguments: Any, **options: Any) -> Any:
            owners.append(arguments[1])
            return await run(self, *arguments, **options)

        hashed = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BoundedThreads, "run", note)
            for request in (
                register(client, "cid@x.test"),
                confirm(client, token, password=PASSWORD),
                sign_in(client, "admin"),
                sign_in(client, "nobody"),
                change_email(client, admin, "new@x.test"),
                client.post(f"{USERS}/{admin.id}/password/force-reset", headers=admin.headers),
            ):
                await request
                assert len(owners) > hashed
                hashed = len(owners)
        assert set(owners) == {"192.0.2.7"}

    async def test_a_client_who_has_gone_leaves_the_queue(
        self, app: FastAPI, accounts: Accounts
    ) -> None:
        await accounts.add("ann")
        async with serving(app) as server, taken_thread(app):
            waiting = app.state.auth.hasher._threads._queues
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port_of(server)}") as client:
                request = asyncio.create_task(sign_in(client, "ann"))
                await until(lambda: bool(waiting))
                request.cancel()
            await until(lambda: not waiting)

    async def test_a_client_who_closes_one_side_is_answered_while_a_thread_is_free(
        self, app: FastAPI, accounts: Accounts
    ) -> None:
        await accounts.add("ann")
        form = f"username=ann&password={quote_plus(PASSWORD)}".encode()
        request = (
            b"POST /api/v1/auth/token HTTP/1.1\r\nHost: plaza.test\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b"
        )
        async with serving(app) as server:
            for _ in range(5):
                answer = await converse(port_of(server), request % (len(form), form), ends=True)
                assert statuses(answer) == [200]
