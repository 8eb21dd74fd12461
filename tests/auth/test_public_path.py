"""PUBLIC_URL with a path, behind a proxy that strips it: all that Plaza says of itself has it."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from src.auth.sign_in.cookies import DEVICE, REFRESH
from src.config import Settings
from tests.auth.support import register, segment
from tests.stripping_proxy import PREFIX, StrippingProxy, stripping_proxy
from tests.support import PASSWORD, Accounts, Inbox

METADATA = "/.well-known/oauth-authorization-server"
CREDENTIALS = {"username": "ann", "password": PASSWORD}
_ADDRESS = re.compile(r'(?:src|href|action|-url|-path)="(/[^"]*)"')


@pytest.fixture
def proxy() -> Iterator[StrippingProxy]:
    """The proxy."""
    with stripping_proxy() as proxy:
        yield proxy


@pytest.fixture
def settings(settings: Settings, proxy: StrippingProxy) -> Settings:
    """Plaza is where the proxy says."""
    return settings.model_copy(update={"public_url": proxy.url, "token_audience": proxy.url})


@pytest.fixture
async def browser(app: FastAPI, proxy: StrippingProxy) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever knows PUBLIC_URL alone; paths are whole ones."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.target_port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve([listener]))
        root = proxy.url.removesuffix(PREFIX)
        async with httpx.AsyncClient(base_url=root, headers={"Origin": root}) as client:
            yield client
        server.should_exit = True
        await serving


async def test_pages_load_what_they_name(
    browser: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    await register(accounts.client, "bob@x.test")
    [mail] = await inbox.mails("bob@x.test", 1)
    pages = ["/confirm-email", "/reset-password/", "/forgot-password", "/docs", "/redoc"]
    for path in [*pages, "/dev/mailbox", f"/dev/mailbox/{mail.id}"]:
        page = await browser.get(PREFIX + path, headers={"Accept": "text/html"})
        addresses = [unescape(one) for one in _ADDRESS.findall(page.text)]
        assert len(addresses) >= 2, path
        for address in addresses:
            assert (await browser.get(address)).status_code == 200, address
    [link] = mail.links
    assert (await browser.get(link)).status_code == 200


async def test_the_document_says_where_operations_and_tokens_are(
    browser: httpx.AsyncClient, accounts: Accounts, proxy: StrippingProxy
) -> None:
    await accounts.add("ann")
    url = f"{proxy.url}/openapi.json"
    document = (await browser.get(url)).json()
    [server] = document["servers"]
    posts = urljoin(url, server["url"]) + "/api/v1/posts"
    assert (await browser.get(posts)).json() == {"items": [], "next_cursor": None}
    scheme = document["components"]["securitySchemes"]["BearerToken"]
    tokens = await browser.post(
        urljoin(url, scheme["flows"]["password"]["tokenUrl"]), data=CREDENTIALS
    )
    assert segment(tokens.json()["access_token"], 1)["iss"] == proxy.url


async def test_locations_and_links_lead_there(
    browser: httpx.AsyncClient, accounts: Accounts, proxy: StrippingProxy
) -> None:
    ann = await accounts.sign_in("ann")
    posts = f"{proxy.url}/api/v1/posts"
    for title in ("One", "Two"):
        post = {"title": title, "body": "x", "status": "published"}
        created = await browser.post(posts, json=post, headers=ann.headers)
        read = await browser.get(urljoin(posts, created.headers["location"]))
        assert read.json()["title"] == title
    token = {"name": "ci", "scopes": ["posts:read"], "current_password": PASSWORD}
    tokens = f"{proxy.url}/api/v1/users/me/tokens"
    created = await browser.post(tokens, json=token, headers=ann.headers)
    location = urljoin(tokens, created.headers["location"])
    assert (await browser.get(location, headers=ann.headers)).status_code == 200
    page = await browser.get(posts, params={"limit": 1})
    following = await browser.get(urljoin(posts, page.links["next"]["url"]))
    assert [item["title"] for item in following.json()["items"]] == ["One"]
    missing = f"{posts}/nothing"
    assert (await browser.get(missing)).json()["instance"] == urlsplit(missing).path


async def test_metadata_is_where_clients_look_for_it(
    browser: httpx.AsyncClient, client: httpx.AsyncClient, proxy: StrippingProxy
) -> None:
    # RFC 8414, section 3.1: before the path of the issuer, as the operator has it passed on;
    # and, as OpenID Connect has it, after it.
    found = [await client.get(METADATA + PREFIX), await browser.get(PREFIX + METADATA)]
    for answer in found:
        document = answer.json()
        assert document["issuer"] == proxy.url
        keys = await browser.get(document["jwks_uri"])
        assert keys.json()["keys"]
        assert document["token_endpoint"] == f"{proxy.url}/api/v1/auth/token"
    for other in ("/other", f"{PREFIX}/more", "x"):
        assert (await client.get(METADATA + other)).status_code == 404


async def test_cookies_work_and_do_not_clash_with_those_of_a_neighbour(
    browser: httpx.AsyncClient, accounts: Accounts, settings: Settings
) -> None:
    await accounts.add("ann")
    web = f"{PREFIX}/api/v1/auth/web"
    assert (await browser.post(f"{web}/login", data=CREDENTIALS)).status_code == 200
    assert (await browser.post(f"{web}/refresh")).status_code == 200
    host = "https://example.com"
    for cookie in (REFRESH, DEVICE):
        names = {
            cookie.clear(settings.model_copy(update={"public_url": host + path}))[
                "Set-Cookie"
            ].partition("=")[0]
            for path in ("", "/plaza", "/plaza/two", "/Plaza")
        }
        assert len(names) == 4
        assert all(name.startswith("__Host-plaza_") for name in names)
