"""The documentation pages: complete, strict, and without another server."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from src.config import Settings
from src.main import create_app
from tests.support import talking_to


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """The application, which here needs no database."""
    return create_app(Settings(_env_file=None, environment="test", data_dir=tmp_path))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Its client."""
    async with talking_to(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_a_page_loads_only_what_the_process_serves(
    client: httpx.AsyncClient, path: str
) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert "<title>Plaza API</title>" in response.text
    urls = [unescape(url) for url in re.findall(r'(?:src|href|-url)="([^"]+)"', response.text)]
    assert len(urls) >= 4
    for url in urls:
        assert url.startswith("/")
        assert not url.startswith("//")
        assert (await client.get(url)).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/oauth2-redirect"])
async def test_a_page_runs_only_our_scripts(client: httpx.AsyncClient, path: str) -> None:
    [policy] = (await client.get(path)).headers.get_list("content-security-policy")
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in directives["script-src"]
    assert "http" not in policy


async def test_swagger_ui_keeps_the_token_and_opens_try_it_out(client: httpx.AsyncClient) -> None:
    script = await client.get("/docs/swagger.js")
    assert script.headers["content-type"].split(";")[0] in {
        "text/javascript",
        "application/javascript",
    }
    assert "persistAuthorization: true" in script.text
    assert "tryItOutEnabled: true" in script.text


async def test_the_redirect_page_may_run_its_own_script(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs/oauth2-redirect")
    [script] = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in response.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/docs/static/none.js", "/docs/static/..%2fcore.py"])
async def test_no_other_file_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_the_root_leads_people_and_programs_on(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, brand_name="Acme")
    async with talking_to(create_app(settings), "http://localhost") as client:
        page = await client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
        assert "<title>Acme</title>" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert f"curl -sS {settings.public_url}/api/v1/auth/register" in page.text
        links = re.findall(r'(?:src|href)="(/[^"]*)"', page.text)
        document = await client.get("/")
        assert document.json()["name"] == "Acme"
        links += document.json()["links"].values()
        assert {"/docs", "/dev/mailbox", "/openapi.json", "/health/ready"} <= set(links)
        for link in set(links) - {"/health/ready"}:  # which needs a database
            assert (await client.get(link)).status_code == 200, link
        for answer in (page, document):
            assert answer.headers["vary"] == "Accept"
            assert answer.headers["x-robots-tag"] == "noindex"
        head = await client.head("/", headers={"Accept": "text/html"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == page.headers["content-type"]


async def test_elsewhere_the_root_says_nothing_but_the_name(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    page = await client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert "<title>Plaza</title>" in page.text
    assert set(re.findall(r'(?:src|href)="([^"]+)"', page.text)) == {
        "data:,",
        "/account-pages/page.css",
    }
    assert app.version not in page.text
    document = await client.get("/")
    assert document.json() == {"name": "Plaza"}
    for answer in (page, document):
        assert answer.headers["vary"] == "Accept"
        assert answer.headers["x-robots-tag"] == "noindex"
